//! Policy: what a client's proxy does with a target, and what a server's proxy
//! lets in (features.md 4.3 and 4.4).

mod inbound;
mod outbound;

pub(crate) use inbound::Inbound;
pub(crate) use outbound::Outbound;

use std::time::Duration;

/// How long a proxy waits for the first bytes to tell the protocol. Linkerd
/// sends 10 s; a protocol whose server speaks first hangs for that long.
const DETECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A length of time in the API's form.
fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        // Lengths come from constants and from annotations, which are checked
        // to be far below 2^63 seconds.
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: duration.subsec_nanos().cast_signed(),
    }
}
