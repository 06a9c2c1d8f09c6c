//! What applications answer, and what comes of it.

/// An application's answer.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) method: &'static str,
    bytes: &'static str,
    /// So many of [`CONTINUE`] before it.
    interim: usize,
    /// The application closes behind it.
    pub(super) closes: bool,
    pub(super) came: Came,
}

/// What the client gets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Came {
    /// This status and body.
    Whole(u16, &'static str),
    /// The same, and the connection ends with it.
    Last(u16, &'static str),
    /// This status, and this much of a body that is broken off.
    Part(u16, &'static str),
    /// The proxy's own answer.
    BadGateway,
}

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

impl Row {
    pub(super) fn bytes(&self) -> String {
        CONTINUE.repeat(self.interim) + self.bytes
    }

    const fn to(method: &'static str, name: &'static str, bytes: &'static str, came: Came) -> Self {
        Self {
            name,
            method,
            bytes,
            interim: 0,
            closes: false,
            came,
        }
    }

    const fn get(name: &'static str, bytes: &'static str, came: Came) -> Self {
        Self::to("GET", name, bytes, came)
    }

    const fn closing(self) -> Self {
        Self {
            closes: true,
            ..self
        }
    }

    const fn after(self, interim: usize) -> Self {
        Self { interim, ..self }
    }
}

/// The table.
pub(super) const ROWS: &[Row] = &[
    Row::get("a length", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", Came::Whole(200, "abc")),
    Row::get("chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nx: y\r\n\r\n", Came::Whole(200, "abc")),
    Row::get("to the end of the connection", "HTTP/1.1 200 OK\r\n\r\nabc", Came::Whole(200, "abc")).closing(),
    Row::get("HTTP/1.0 to the end", "HTTP/1.0 200 OK\r\n\r\nabc", Came::Last(200, "abc")).closing(),
    Row::get("HTTP/1.0 with chunks", "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Came::BadGateway).closing(),
    Row::get("the same length twice", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\nabc", Came::Whole(200, "abc")),
    Row::get("a list of equal lengths", "HTTP/1.1 200 OK\r\ncontent-length: 3, 3\r\n\r\nabc", Came::Whole(200, "abc")),
    Row::get("two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd", Came::BadGateway),
    Row::get("length and encoding", "HTTP/1.1 200 OK\r\ncontent-length: 30\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Came::Whole(200, "abc")),
    Row::get("encoding and length", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Came::Whole(200, "abc")),
    Row::get("an encoding that is not chunked", "HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("chunked is not the last", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("a negative length", "HTTP/1.1 200 OK\r\ncontent-length: -3\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("a length with a sign", "HTTP/1.1 200 OK\r\ncontent-length: +3\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("a length in hexadecimal", "HTTP/1.1 200 OK\r\ncontent-length: 0x3\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("a length beyond 64 bits", "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551619\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("an empty length", "HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("a body shorter than its length", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc", Came::Part(200, "abc")).closing(),
    Row::get("a body longer than its length", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcdef", Came::Whole(200, "abc")),
    Row::get("a second answer behind the first", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil", Came::Whole(200, "abc")),
    Row::get("a second answer behind chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil", Came::Whole(200, "abc")),
    Row::get("chunks without an end", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", Came::Part(200, "abc")).closing(),
    Row::get("a chunk without its line end", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n", Came::Part(200, "abc")).closing(),
    Row::get("a chunk size that is none", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n", Came::Part(200, "abc")).closing(),
    Row::get("a chunk size beyond 64 bits", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n10000000000000003\r\nabc\r\n0\r\n\r\n", Came::Part(200, "abc")).closing(),
    Row::get("a length in the trailers", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\ncontent-length: 9\r\n\r\n", Came::Whole(200, "abc")),
    Row::to("HEAD", "HEAD with a length", "HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\n", Came::Whole(200, "")),
    Row::to("HEAD", "HEAD with a body", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", Came::Whole(200, "")),
    Row::to("HEAD", "HEAD with chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", Came::Whole(200, "")),
    Row::get("204 with a body", "HTTP/1.1 204 No Content\r\ncontent-length: 3\r\n\r\nabc", Came::Whole(204, "")),
    Row::get("204 with chunks", "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Came::Whole(204, "")),
    Row::get("304 with a length", "HTTP/1.1 304 Not Modified\r\ncontent-length: 30\r\n\r\n", Came::Whole(304, "")),
    Row::get("304 with a body", "HTTP/1.1 304 Not Modified\r\ncontent-length: 3\r\n\r\nabc", Came::Whole(304, "")),
    Row::get("interim answers", "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", Came::Whole(200, "abc")),
    Row::get("a flood of interim answers", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", Came::Whole(200, "abc")).after(1000),
    Row::get("101 that nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nevil", Came::BadGateway),
    Row::get("no reason", "HTTP/1.1 200\r\ncontent-length: 3\r\n\r\nabc", Came::Whole(200, "abc")),
    Row::get("an unknown status", "HTTP/1.1 599 ?\r\ncontent-length: 3\r\n\r\nabc", Came::Whole(599, "abc")),
    Row::get("a status of four digits", "HTTP/1.1 2000 OK\r\ncontent-length: 3\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("a status of two digits", "HTTP/1.1 20 OK\r\ncontent-length: 3\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("a status below 100", "HTTP/1.1 099 OK\r\ncontent-length: 3\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("another version", "HTTP/2.0 200 OK\r\ncontent-length: 3\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("another minor version", "HTTP/1.2 200 OK\r\ncontent-length: 3\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("another protocol", "ICY 200 OK\r\ncontent-length: 3\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("HTTP/0.9", "<html>abc</html>\r\n\r\n", Came::BadGateway).closing(),
    Row::get("two spaces in the status line", "HTTP/1.1  200 OK\r\ncontent-length: 3\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("an empty line first", "\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", Came::Whole(200, "abc")),
    Row::get("lines that end in LF alone", "HTTP/1.1 200 OK\nx: y\ncontent-length: 3\n\nabc", Came::Whole(200, "abc")),
    Row::get("a CR in a value", "HTTP/1.1 200 OK\r\nx: a\rset-cookie: evil\r\ncontent-length: 3\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("a NUL in a value", "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 3\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("a folded field", "HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 3\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("a space before the colon", "HTTP/1.1 200 OK\r\ncontent-length : 3\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("an empty field name", "HTTP/1.1 200 OK\r\n: x\r\ncontent-length: 3\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("a space in a field name", "HTTP/1.1 200 OK\r\nx y: z\r\ncontent-length: 3\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("a line without a colon", "HTTP/1.1 200 OK\r\nnonsense\r\ncontent-length: 3\r\n\r\nabc", Came::BadGateway).closing(),
    Row::get("Connection names the length", "HTTP/1.1 200 OK\r\nconnection: content-length\r\ncontent-length: 3\r\n\r\nabc", Came::Whole(200, "abc")),
    Row::get("Connection names the encoding", "HTTP/1.1 200 OK\r\nconnection: transfer-encoding\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Came::Whole(200, "abc")),
    Row::get("close", "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc", Came::Whole(200, "abc")).closing(),
    Row::get("nothing", "", Came::BadGateway).closing(),
    Row::get("half a head", "HTTP/1.1 200 OK\r\ncontent-le", Came::BadGateway).closing(),
];
