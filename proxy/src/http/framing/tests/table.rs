//! The table of requests that are refused: the known ways to make two parsers
//! disagree, and what each is refused for.
//!
//! It is here once and used twice: beside the state machine, and, through real
//! proxies to applications of other parsers, in `integration/tests/conformance`.

use super::Violation;

/// After a request line and a Host.
const HEADS: &[(&str, Violation)] = &[
    // CL.TE and TE.CL, in both orders, and the ways to hide one of them.
    (
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
        Violation::LengthAndEncoding,
    ),
    (
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n",
        Violation::LengthAndEncoding,
    ),
    (
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
        Violation::LengthAndEncoding,
    ),
    (
        "Transfer-Encoding: xchunked\r\n\r\n",
        Violation::TransferEncoding,
    ),
    (
        "Transfer-Encoding: chunkedx\r\n\r\n",
        Violation::TransferEncoding,
    ),
    (
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
        Violation::TransferEncoding,
    ),
    (
        "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        Violation::TransferEncoding,
    ),
    (
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        Violation::TransferEncoding,
    ),
    (
        "Transfer-Encoding: identity, chunked\r\n\r\n",
        Violation::TransferEncoding,
    ),
    (
        "Transfer-Encoding: gzip, chunked\r\n\r\n",
        Violation::TransferEncoding,
    ),
    (
        "Transfer-Encoding: chunked, identity\r\n\r\n",
        Violation::TransferEncoding,
    ),
    (
        "Transfer-Encoding: \"chunked\"\r\n\r\n",
        Violation::TransferEncoding,
    ),
    (
        "Transfer-Encoding: chunked;q=1\r\n\r\n",
        Violation::TransferEncoding,
    ),
    (
        "Transfer-Encoding: identity\r\n\r\n",
        Violation::TransferEncoding,
    ),
    ("Transfer-Encoding:\r\n\r\n", Violation::TransferEncoding),
    (
        "Transfer-Encoding: ch unked\r\n\r\n",
        Violation::TransferEncoding,
    ),
    (
        "Transfer-Encoding:\x0bchunked\r\n\r\n",
        Violation::ControlByte,
    ),
    (
        "Transfer-Encoding: chunked\x00\r\n\r\n",
        Violation::ControlByte,
    ),
    ("Transfer-Encoding : chunked\r\n\r\n", Violation::FieldName),
    ("Transfer-Encoding\t: chunked\r\n\r\n", Violation::FieldName),
    (
        "Transfer\x00-Encoding: chunked\r\n\r\n",
        Violation::FieldName,
    ),
    (" Transfer-Encoding: chunked\r\n\r\n", Violation::Folded),
    (
        "Transfer-Encoding:\r\n chunked\r\n\r\n",
        Violation::TransferEncoding,
    ),
    (
        "x: y\nTransfer-Encoding: chunked\r\n\r\n",
        Violation::BareLineEnd,
    ),
    (
        "x: y\rTransfer-Encoding: chunked\r\n\r\n",
        Violation::BareLineEnd,
    ),
    (
        "x: y\r\rTransfer-Encoding: chunked\r\n\r\n",
        Violation::BareLineEnd,
    ),
    // Lengths.
    (
        "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        Violation::DifferingLengths,
    ),
    (
        "Content-Length: 5, 5\r\n\r\nhello",
        Violation::ContentLength,
    ),
    (
        "Content-Length: 5, 6\r\n\r\nhello",
        Violation::ContentLength,
    ),
    ("Content-Length: +5\r\n\r\nhello", Violation::ContentLength),
    ("Content-Length: -5\r\n\r\nhello", Violation::ContentLength),
    ("Content-Length: 0x5\r\n\r\nhello", Violation::ContentLength),
    ("Content-Length: 5 6\r\n\r\nhello", Violation::ContentLength),
    ("Content-Length: 5.0\r\n\r\nhello", Violation::ContentLength),
    (
        "Content-Length: five\r\n\r\nhello",
        Violation::ContentLength,
    ),
    ("Content-Length:\r\n\r\n", Violation::ContentLength),
    (
        "Content-Length: 18446744073709551616\r\n\r\n",
        Violation::ContentLength,
    ),
    ("Content-Length: 5\r\n 6\r\n\r\nhello", Violation::Folded),
    ("Content-Length: 5\n\r\nhello", Violation::BareLineEnd),
    // Hosts.
    ("Host: b\r\n\r\n", Violation::SeveralHosts),
    ("host: a\r\n\r\n", Violation::SeveralHosts),
    // The end of the head.
    ("x: y\r\n\n", Violation::BareLineEnd),
    ("x: y\n\n", Violation::BareLineEnd),
    ("x: y\r\n\rGET / HTTP/1.1\r\n", Violation::BareLineEnd),
    // Fields that are none.
    (": y\r\n\r\n", Violation::FieldName),
    ("x\r\n\r\n", Violation::FieldName),
    ("x y: z\r\n\r\n", Violation::FieldName),
    ("x(y): z\r\n\r\n", Violation::FieldName),
    ("\x00x: z\r\n\r\n", Violation::FieldName),
    ("caf\u{e9}: z\r\n\r\n", Violation::FieldName),
    ("x: y\x00z\r\n\r\n", Violation::ControlByte),
    ("x: y\x1bz\r\n\r\n", Violation::ControlByte),
    ("x: y\x7fz\r\n\r\n", Violation::ControlByte),
    ("x: y\r\n\tz\r\n\r\n", Violation::Folded),
];

/// Whole requests.
const REQUESTS: &[(&str, Violation)] = &[
    ("GET / HTTP/1.1\r\n\r\n", Violation::NoHost),
    ("GET / HTTP/1.1\r\nx-host: a\r\n\r\n", Violation::NoHost),
    (
        "GET / HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n",
        Violation::SeveralHosts,
    ),
    ("GET / HTTP/1.1\r\nhost: a b\r\n\r\n", Violation::HostName),
    ("GET / HTTP/1.1\r\nhost: a, b\r\n\r\n", Violation::HostName),
    ("GET / HTTP/1.1\r\nhost: a/b\r\n\r\n", Violation::HostName),
    ("GET / HTTP/1.1\r\nhost: u@a\r\n\r\n", Violation::HostName),
    (
        "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        Violation::EncodingInHttp10,
    ),
    (
        "CONNECT a:1 HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc",
        Violation::ConnectBody,
    ),
    (
        "CONNECT a:1 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        Violation::ConnectBody,
    ),
    ("GET / HTTP/1.1\nhost: a\r\n\r\n", Violation::BareLineEnd),
    ("GET /\n", Violation::BareLineEnd),
    ("GET / HTTP/1.1\rhost: a\r\n\r\n", Violation::BareLineEnd),
    (
        "\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
        Violation::BareLineEnd,
    ),
    (
        "\r\rGET / HTTP/1.1\r\nhost: a\r\n\r\n",
        Violation::BareLineEnd,
    ),
    ("GET  / HTTP/1.1\r\nhost: a\r\n\r\n", Violation::RequestLine),
    ("GET / HTTP/1.1 \r\nhost: a\r\n\r\n", Violation::RequestLine),
    (
        "GET /a b HTTP/1.1\r\nhost: a\r\n\r\n",
        Violation::RequestLine,
    ),
    ("GET\t/ HTTP/1.1\r\nhost: a\r\n\r\n", Violation::RequestLine),
    (" GET / HTTP/1.1\r\nhost: a\r\n\r\n", Violation::RequestLine),
    (
        "GET /\x00 HTTP/1.1\r\nhost: a\r\n\r\n",
        Violation::RequestLine,
    ),
    ("G@T / HTTP/1.1\r\nhost: a\r\n\r\n", Violation::RequestLine),
    ("GET /\r\n\r\n", Violation::RequestLine),
    ("GET / HTTP/1.2\r\nhost: a\r\n\r\n", Violation::RequestLine),
    ("GET / HTTP/2.0\r\nhost: a\r\n\r\n", Violation::RequestLine),
    ("GET / HTTP/1.10\r\nhost: a\r\n\r\n", Violation::RequestLine),
    ("GET / http/1.1\r\nhost: a\r\n\r\n", Violation::RequestLine),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Violation::RequestLine),
    ("\x00\x01\x02\x03", Violation::RequestLine),
];

/// After a head that says chunked.
const CHUNKED: &[(&str, Violation)] = &[
    ("\r\n", Violation::ChunkSize),
    ("-1\r\n", Violation::ChunkSize),
    ("+1\r\na\r\n", Violation::ChunkSize),
    ("0x1\r\na\r\n", Violation::ChunkSize),
    (" 1\r\na\r\n", Violation::ChunkSize),
    ("1 \r\na\r\n", Violation::ChunkSize),
    ("1\t;x\r\na\r\n", Violation::ChunkSize),
    ("1\na\r\n", Violation::ChunkSize),
    ("1_0\r\n", Violation::ChunkSize),
    ("g\r\n", Violation::ChunkSize),
    ("\x00\r\n", Violation::ChunkSize),
    ("10000000000000000\r\na\r\n", Violation::ChunkSize),
    (
        "00000000000000000000000010000000000000001\r\na\r\n",
        Violation::ChunkSize,
    ),
    ("1\ra\r\n", Violation::BareLineEnd),
    ("1;x\na\r\n", Violation::BareLineEnd),
    ("1;\x00\r\na\r\n", Violation::ChunkEnd),
    ("1\r\nab\r\n", Violation::ChunkEnd),
    ("1\r\na\n0\r\n\r\n", Violation::ChunkEnd),
    ("1\r\na\r0\r\n\r\n", Violation::ChunkEnd),
    ("1\r\na0\r\n\r\n", Violation::ChunkEnd),
    ("0\r\nx y\r\n\r\n", Violation::FieldName),
    ("0\r\nx : y\r\n\r\n", Violation::FieldName),
    ("0\r\nx: y\nGET / HTTP/1.1\r\n\r\n", Violation::BareLineEnd),
    ("0\r\nx: \x00\r\n\r\n", Violation::ControlByte),
    ("0\r\nx: y\r\n z\r\n\r\n", Violation::Folded),
    ("0\r\n\n", Violation::BareLineEnd),
    ("0\r\nContent-Length: 3\r\n\r\n", Violation::Trailer),
    (
        "0\r\nTransfer-Encoding: chunked\r\n\r\n",
        Violation::Trailer,
    ),
    ("0\r\nHost: b\r\n\r\n", Violation::Trailer),
];

/// Every row as a whole request, or the beginning of one.
pub(crate) fn refused() -> impl Iterator<Item = (String, Violation)> {
    let head = "POST / HTTP/1.1\r\nhost: a\r\n";
    let heads = HEADS
        .iter()
        .map(move |(bytes, v)| (format!("{head}{bytes}"), *v));
    let requests = REQUESTS.iter().map(|(bytes, v)| ((*bytes).to_owned(), *v));
    let coding = "transfer-encoding: chunked\r\n\r\n";
    let chunked = CHUNKED
        .iter()
        .map(move |(bytes, v)| (format!("{head}{coding}{bytes}"), *v));
    heads.chain(requests).chain(chunked)
}
