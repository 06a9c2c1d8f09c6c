//! Why a request was refused.

use std::error::Error;
use std::io;

/// A request, or a part of it, that must not be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.reason())]
pub enum Violation {
    /// The request line is not `METHOD SP TARGET SP HTTP/1.x CRLF`.
    RequestLine,
    /// A line ends in LF alone, or has a CR that ends nothing.
    BareLineEnd,
    /// A field goes on in the next line (obs-fold).
    Folded,
    /// A field's name is no token: empty, or with white space before its colon.
    FieldName,
    /// A control byte in a field's value.
    ControlByte,
    /// A Content-Length that is no number, or beyond 64 bits.
    ContentLength,
    /// Two Content-Length with different values.
    DifferingLengths,
    /// Content-Length and Transfer-Encoding together.
    LengthAndEncoding,
    /// A Transfer-Encoding other than one `chunked`.
    TransferEncoding,
    /// A Transfer-Encoding in HTTP/1.0.
    EncodingInHttp10,
    /// More than one Host.
    SeveralHosts,
    /// No Host in HTTP/1.1.
    NoHost,
    /// A Host that can't be one.
    HostName,
    /// A CONNECT with a body.
    ConnectBody,
    /// A chunk's size is no hexadecimal number, or beyond 64 bits.
    ChunkSize,
    /// A chunk's data is longer than its size, or its line is garbled.
    ChunkEnd,
    /// A trailer that would change the message's framing or target.
    Trailer,
}

impl Violation {
    /// The reason in words, for a log or the label of a metric.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::RequestLine => "malformed request line",
            Self::BareLineEnd => "bare CR or LF",
            Self::Folded => "folded header",
            Self::FieldName => "malformed header name",
            Self::ControlByte => "control byte in header",
            Self::ContentLength => "malformed Content-Length",
            Self::DifferingLengths => "differing Content-Length",
            Self::LengthAndEncoding => "both Content-Length and Transfer-Encoding",
            Self::TransferEncoding => "Transfer-Encoding other than chunked",
            Self::EncodingInHttp10 => "Transfer-Encoding in HTTP/1.0",
            Self::SeveralHosts => "several Host headers",
            Self::NoHost => "no Host header",
            Self::HostName => "malformed Host header",
            Self::ConnectBody => "CONNECT with a body",
            Self::ChunkSize => "malformed chunk size",
            Self::ChunkEnd => "malformed chunk",
            Self::Trailer => "forbidden trailer",
        }
    }

    /// The violation that made reading a body fail, if `error` comes of one:
    /// the service then answers 400 and not what it would for a lost client.
    pub fn in_error(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(violation) = error.downcast_ref::<Self>() {
                return Some(*violation);
            }
            // An io::Error's source is its inner error's source, not the inner error.
            let inner = error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref);
            next = match inner {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        None
    }
}
