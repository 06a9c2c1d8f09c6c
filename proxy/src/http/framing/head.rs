//! What fields say together, as they come and at their end.

use super::field::Fact;
use super::violation::Violation;

/// What the head, or the trailers, said so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Head {
    pub(super) http11: bool,
    pub(super) connect: bool,
    pub(super) upgrade: bool,
    host: bool,
    pub(super) chunked: bool,
    pub(super) length: Option<u64>,
    /// The fields are trailers.
    pub(super) trailers: bool,
}

impl Head {
    /// Takes one field's fact.
    pub(super) fn learn(&mut self, fact: Fact) -> Result<(), Violation> {
        match fact {
            Fact::Nothing | Fact::Upgrade if self.trailers => {}
            _ if self.trailers => return Err(Violation::Trailer),
            Fact::Nothing => {}
            Fact::Upgrade => self.upgrade = true,
            Fact::Host if self.host => return Err(Violation::SeveralHosts),
            Fact::Host => self.host = true,
            Fact::Length(_) if self.chunked => return Err(Violation::LengthAndEncoding),
            Fact::Length(length) if self.length.is_some_and(|first| first != length) => {
                return Err(Violation::DifferingLengths);
            }
            Fact::Length(length) => self.length = Some(length),
            Fact::Chunked if !self.http11 => return Err(Violation::EncodingInHttp10),
            Fact::Chunked if self.length.is_some() => return Err(Violation::LengthAndEncoding),
            Fact::Chunked if self.chunked => return Err(Violation::TransferEncoding),
            Fact::Chunked => self.chunked = true,
        }
        Ok(())
    }

    /// What only the end of a head shows.
    pub(super) fn check(&self) -> Result<(), Violation> {
        if self.http11 && !self.host {
            return Err(Violation::NoHost);
        }
        if self.connect && (self.chunked || self.length.is_some_and(|length| length > 0)) {
            return Err(Violation::ConnectBody);
        }
        Ok(())
    }
}
