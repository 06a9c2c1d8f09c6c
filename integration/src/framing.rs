//! HTTP/1 as bytes, and what has to come of it behind proxies.
//!
//! The tables are used twice: in `tests/conformance` with applications inside of
//! the test, in `tests/pods` with real ones behind a kernel that intercepts. What
//! the proxy refuses for its framing is the proxy's own table, which its state
//! machine is tested with.
//!
//! Before each row stands a good request on the same connection, and another
//! behind it. What two parsers may read differently is refused and the connection
//! ends there: no back end sees it complete, or what stands behind it. All else
//! reaches each back end with one meaning.

mod answers;
#[path = "../../proxy/src/http/framing/tests/table.rs"]
mod refused;
mod table;

pub use answers::{Answer, answers};
use mesh_proxy::http::framing::Violation;
use std::{
    io::{Read, Write},
    net::TcpStream,
};

/// A request that is carried.
#[derive(Debug)]
pub struct Carried {
    name: &'static str,
    bytes: &'static str,
    /// What the back end sees of it, request by request.
    saw: &'static [&'static str],
    /// Whether the connection ends with it.
    ends: bool,
}

/// A connection's bytes and what must come of them.
#[derive(Clone, Debug)]
pub struct Case {
    /// For people.
    pub name: String,
    /// What the client sends.
    pub bytes: String,
    /// What the back end sees, request by request.
    pub saw: Vec<String>,
    /// The status of the proxy's own answer behind those.
    pub refused: Option<u16>,
}

const FIRST: &str = "GET /first HTTP/1.1\r\nhost: web\r\n\r\n";
const FIRST_SAW: &str = "GET /first host=web body= x=";
const NEXT: &str = "GET /next HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n";
const NEXT_SAW: &str = "GET /next host=web body= x=";

/// What must be refused.
pub fn refused() -> Vec<Case> {
    let framing = refused::refused().map(|(bytes, violation)| {
        let name = format!("{violation}: {bytes:?}");
        refusal(name, &bytes, 400)
    });
    let others = table::REFUSED.iter();
    let others = others.map(|(name, bytes, status)| refusal((*name).into(), bytes, *status));
    framing.chain(others).collect()
}

fn refusal(name: String, bytes: &str, status: u16) -> Case {
    Case {
        name,
        bytes: [FIRST, bytes, NEXT].concat(),
        saw: vec![FIRST_SAW.into()],
        refused: Some(status),
    }
}

/// What must arrive.
pub fn carried() -> Vec<Case> {
    table::CARRIED.iter().map(Case::carried).collect()
}

impl Case {
    fn carried(row: &Carried) -> Self {
        let next = (!row.ends).then_some(&NEXT_SAW);
        let saw = [FIRST_SAW].into_iter().chain(row.saw.iter().copied());
        Self {
            name: row.name.into(),
            bytes: [FIRST, row.bytes, NEXT].concat(),
            saw: saw.chain(next.copied()).map(str::to_owned).collect(),
            refused: None,
        }
    }

    /// Sends it and reads to the end of the connection.
    ///
    /// # Panics
    /// When the connection goes on for longer than its own timeout.
    pub fn send(&self, mut io: TcpStream) -> String {
        // It may be refused before all of it was sent.
        let _sent = io.write_all(self.bytes.as_bytes());
        let mut came = Vec::new();
        if let Err(error) = io.read_to_end(&mut came) {
            let came = String::from_utf8_lossy(&came);
            assert!(
                error.kind() == std::io::ErrorKind::ConnectionReset,
                "{}: {error} after {came}",
                self.name
            );
        }
        String::from_utf8_lossy(&came).into_owned()
    }

    /// Whether what came is right.
    ///
    /// # Errors
    /// What came, if it is not.
    ///
    /// # Panics
    /// When what came can be read in more than one way.
    pub fn check(&self, came: &str) -> Result<(), String> {
        let heads: Vec<_> = self
            .saw
            .iter()
            .map(|saw| saw.starts_with("HEAD "))
            .collect();
        let answers = answers(came, &heads);
        let came: Vec<_> = answers
            .iter()
            .map(|answer| match answer.status {
                200 => (200, answer.body.as_str()),
                // A refusal's text is the proxy's business.
                status => (status, ""),
            })
            .collect();
        let saw = self.saw.iter().zip(&heads);
        let saw = saw.map(|(saw, head)| (200, if *head { "" } else { saw }));
        let wanted: Vec<_> = saw.chain(self.refused.map(|status| (status, ""))).collect();
        let wrong = || format!("{}: came {came:?}, not {wanted:?}", self.name);
        (came == wanted).then_some(()).ok_or_else(wrong)
    }
}
