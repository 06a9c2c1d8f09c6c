//! The few fields that decide framing, read as their bytes pass.

use super::grammar::{is_host, is_space};
use super::violation::Violation;

/// The first bytes of a method or field name, as many as tell it from others.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Word {
    bytes: [u8; Self::MAX],
    len: usize,
}

impl Word {
    /// One more than the longest word that is looked for, Transfer-Encoding.
    const MAX: usize = 18;

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let n = bytes.len().min(Self::MAX - self.len);
        self.bytes[self.len..self.len + n].copy_from_slice(&bytes[..n]);
        self.len += n;
    }

    pub(super) fn is(&self, word: &[u8]) -> bool {
        &self.bytes[..self.len] == word
    }

    pub(super) fn field(&self) -> Field {
        let name = &self.bytes[..self.len];
        // The lengths differ, so most fields are told apart by that alone.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => Field::Host,
            7 if name.eq_ignore_ascii_case(b"upgrade") => Field::Upgrade,
            14 if name.eq_ignore_ascii_case(b"content-length") => Field::ContentLength,
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => Field::TransferEncoding,
            _ => Field::Other,
        }
    }
}

/// A field, by what it means for framing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Field {
    ContentLength,
    TransferEncoding,
    Host,
    Upgrade,
    #[default]
    Other,
}

/// A field's value on its way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Value {
    field: Field,
    place: Place,
    /// The number so far of a Content-Length.
    number: u64,
    /// The bytes so far of a Transfer-Encoding that match.
    matched: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Place {
    #[default]
    Before,
    Within,
    After,
}

/// What a complete field says.
pub(super) enum Fact {
    Length(u64),
    Chunked,
    Host,
    Upgrade,
    Nothing,
}

const CHUNKED: &[u8] = b"chunked";

impl Value {
    pub(super) fn new(field: Field) -> Self {
        Self {
            field,
            ..Self::default()
        }
    }

    /// Takes bytes that are allowed in any value.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        if matches!(self.field, Field::Other | Field::Upgrade) {
            return Ok(());
        }
        for b in bytes {
            match (is_space(*b), self.place) {
                (true, Place::Within) => self.place = Place::After,
                (true, _) => {}
                (false, Place::After) => return Err(self.malformed()),
                (false, _) => {
                    self.place = Place::Within;
                    self.take(*b).ok_or_else(|| self.malformed())?;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, b: u8) -> Option<()> {
        match self.field {
            Field::ContentLength => {
                let digit = char::from(b).to_digit(10)?;
                self.number = self.number.checked_mul(10)?.checked_add(digit.into())?;
            }
            Field::TransferEncoding => {
                let expected = CHUNKED.get(self.matched)?;
                self.matched += 1;
                return b.eq_ignore_ascii_case(expected).then_some(());
            }
            Field::Host => return is_host(b).then_some(()),
            Field::Upgrade | Field::Other => {}
        }
        Some(())
    }

    /// The end of the value.
    pub(super) fn finish(&self) -> Result<Fact, Violation> {
        match self.field {
            Field::ContentLength if self.place == Place::Before => Err(self.malformed()),
            Field::ContentLength => Ok(Fact::Length(self.number)),
            Field::TransferEncoding if self.matched < CHUNKED.len() => Err(self.malformed()),
            Field::TransferEncoding => Ok(Fact::Chunked),
            Field::Host => Ok(Fact::Host),
            Field::Upgrade => Ok(Fact::Upgrade),
            Field::Other => Ok(Fact::Nothing),
        }
    }

    fn malformed(&self) -> Violation {
        match self.field {
            Field::ContentLength => Violation::ContentLength,
            Field::TransferEncoding => Violation::TransferEncoding,
            _ => Violation::HostName,
        }
    }
}
