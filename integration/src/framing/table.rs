//! Requests that are carried, and what a back end sees of each.

use super::Carried;

const fn row(name: &'static str, bytes: &'static str, saw: &'static [&'static str]) -> Carried {
    Carried {
        name,
        bytes,
        saw,
        ends: false,
    }
}

/// The connection ends with it.
const fn last(name: &'static str, bytes: &'static str, saw: &'static [&'static str]) -> Carried {
    Carried {
        name,
        bytes,
        saw,
        ends: true,
    }
}

/// The table.
pub(super) const CARRIED: &[Carried] = &[
    row(
        "no body",
        "GET /case HTTP/1.1\r\nhost: web\r\n\r\n",
        &["GET /case host=web body= x="],
    ),
    row(
        "a length",
        "POST /case HTTP/1.1\r\nhost: web\r\ncontent-length: 3\r\n\r\nabc",
        &["POST /case host=web body=abc x="],
    ),
    row(
        "the same length twice",
        "POST /case HTTP/1.1\r\nhost: web\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\nabc",
        &["POST /case host=web body=abc x="],
    ),
    row(
        "a length with zeros and spaces",
        "POST /case HTTP/1.1\r\nhost: web\r\nContent-Length: \t 003 \r\n\r\nabc",
        &["POST /case host=web body=abc x="],
    ),
    row(
        "a length of zero",
        "POST /case HTTP/1.1\r\nhost: web\r\ncontent-length: 0\r\n\r\n",
        &["POST /case host=web body= x="],
    ),
    row(
        "a GET with a body",
        "GET /case HTTP/1.1\r\nhost: web\r\ncontent-length: 3\r\n\r\nabc",
        &["GET /case host=web body=abc x="],
    ),
    row(
        "a GET with chunks",
        "GET /case HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        &["GET /case host=web body=abc x="],
    ),
    row(
        "a body that looks like a request",
        "POST /case HTTP/1.1\r\nhost: web\r\ncontent-length: 32\r\n\r\nGET /evil HTTP/1.1 host: web x=y",
        &["POST /case host=web body=GET /evil HTTP/1.1 host: web x=y x="],
    ),
    row(
        "chunks",
        "POST /case HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        &["POST /case host=web body=abcde x="],
    ),
    row(
        "chunked in capitals",
        "POST /case HTTP/1.1\r\nhost: web\r\nTransfer-Encoding:CHUNKED \r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        &["POST /case host=web body=abc x="],
    ),
    row(
        "chunk extensions",
        "POST /case HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n3;a=\"b\";c\r\nabc\r\n0;last\r\n\r\n",
        &["POST /case host=web body=abc x="],
    ),
    row(
        "chunk sizes with zeros and capitals",
        "POST /case HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n0000A\r\n0123456789\r\n000\r\n\r\n",
        &["POST /case host=web body=0123456789 x="],
    ),
    row(
        "an empty body in chunks",
        "POST /case HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        &["POST /case host=web body= x="],
    ),
    row(
        "trailers stay trailers",
        "POST /case HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-case: trailer\r\n\r\n",
        &["POST /case host=web body=abc x="],
    ),
    row(
        "a trailer speaks not for the mesh",
        "POST /case HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nl5d-client-id: evil\r\n\r\n",
        &["POST /case host=web body=abc x="],
    ),
    row(
        "two in a row",
        "GET /case HTTP/1.1\r\nhost: web\r\n\r\nPOST /case HTTP/1.1\r\nhost: web\r\ncontent-length: 3\r\n\r\nabc",
        &[
            "GET /case host=web body= x=",
            "POST /case host=web body=abc x=",
        ],
    ),
    row(
        "empty lines before a request",
        "\r\n\r\nGET /case HTTP/1.1\r\nhost: web\r\n\r\n",
        &["GET /case host=web body= x="],
    ),
    row(
        "HEAD",
        "HEAD /case HTTP/1.1\r\nhost: web\r\n\r\n",
        &["HEAD /case host=web body= x="],
    ),
    last(
        "HTTP/1.0",
        "GET /case HTTP/1.0\r\nhost: web\r\n\r\n",
        &["GET /case host=web body= x="],
    ),
    last(
        "HTTP/1.0 without Host",
        "GET /case HTTP/1.0\r\n\r\n",
        &["GET /case host= body= x="],
    ),
    last(
        "HTTP/1.0 with a body",
        "POST /case HTTP/1.0\r\nhost: web\r\ncontent-length: 3\r\n\r\nabc",
        &["POST /case host=web body=abc x="],
    ),
    last(
        "close",
        "GET /case HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n",
        &["GET /case host=web body= x="],
    ),
    row(
        "a method in small letters",
        "get /case HTTP/1.1\r\nhost: web\r\n\r\n",
        &["get /case host=web body= x="],
    ),
    row(
        "an unknown method",
        "BREW /case HTTP/1.1\r\nhost: web\r\n\r\n",
        &["BREW /case host=web body= x="],
    ),
    row(
        "a long method",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA /case HTTP/1.1\r\nhost: web\r\n\r\n",
        &[
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA /case host=web body= x=",
        ],
    ),
    row(
        "a long target",
        "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\nhost: web\r\n\r\n",
        &[
            "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa host=web body= x=",
        ],
    ),
    row(
        "Expect: 100-continue",
        "POST /case HTTP/1.1\r\nhost: web\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\nabc",
        &["POST /case host=web body=abc x="],
    ),
    row(
        "Expect: 100-continue in capitals",
        "POST /case HTTP/1.1\r\nhost: web\r\nexpect: 100-Continue\r\ncontent-length: 3\r\n\r\nabc",
        &["POST /case host=web body=abc x="],
    ),
    row(
        "Expect without a body",
        "GET /case HTTP/1.1\r\nhost: web\r\nexpect: 100-continue\r\n\r\n",
        &["GET /case host=web body= x="],
    ),
    row(
        "an expectation nobody knows",
        "POST /case HTTP/1.1\r\nhost: web\r\nexpect: magic\r\ncontent-length: 3\r\n\r\nabc",
        &["POST /case host=web body=abc x="],
    ),
    row(
        "Connection names Host and Content-Length",
        "POST /case HTTP/1.1\r\nhost: web\r\nconnection: host, content-length\r\ncontent-length: 3\r\n\r\nabc",
        &["POST /case host=web body=abc x="],
    ),
    row(
        "Connection names Transfer-Encoding",
        "POST /case HTTP/1.1\r\nhost: web\r\nconnection: transfer-encoding\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        &["POST /case host=web body=abc x="],
    ),
    row(
        "Connection names another",
        "GET /case HTTP/1.1\r\nhost: web\r\nconnection: X-CASE , y\r\nx-case: gone\r\n\r\n",
        &["GET /case host=web body= x="],
    ),
    row(
        "Connection names nothing",
        "GET /case HTTP/1.1\r\nhost: web\r\nconnection: ,;\r\nx-case: here\r\n\r\n",
        &["GET /case host=web body= x=here"],
    ),
    row(
        "Upgrade with a body",
        "POST /case HTTP/1.1\r\nhost: web\r\nconnection: upgrade\r\nupgrade: x\r\ncontent-length: 3\r\n\r\nabc",
        &["POST /case host=web body=abc x="],
    ),
    row(
        "Upgrade with chunks",
        "POST /case HTTP/1.1\r\nhost: web\r\nconnection: upgrade\r\nupgrade: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        &["POST /case host=web body=abc x="],
    ),
    row(
        "Upgrade to HTTP/2",
        "GET /case HTTP/1.1\r\nhost: web\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n",
        &["GET /case host=web body= x="],
    ),
    row(
        "Upgrade without Connection",
        "GET /case HTTP/1.1\r\nhost: web\r\nupgrade: websocket\r\n\r\n",
        &["GET /case host=web body= x="],
    ),
    row(
        "the absolute form",
        "GET http://web/case HTTP/1.1\r\nhost: web\r\n\r\n",
        &["GET http://web/case host=web body= x="],
    ),
    row(
        "the absolute form beats Host",
        "GET http://web/case HTTP/1.1\r\nhost: evil\r\n\r\n",
        &["GET http://web/case host=web body= x="],
    ),
    row(
        "the absolute form and an empty Host",
        "GET http://web/case HTTP/1.1\r\nhost:\r\n\r\n",
        &["GET http://web/case host=web body= x="],
    ),
    row(
        "the absolute form without a path",
        "GET http://web?a HTTP/1.1\r\nhost: web\r\n\r\n",
        &["GET http://web/?a host=web body= x="],
    ),
    row(
        "OPTIONS of the server",
        "OPTIONS * HTTP/1.1\r\nhost: web\r\n\r\n",
        &["OPTIONS * host=web body= x="],
    ),
    row(
        "GET of *",
        "GET * HTTP/1.1\r\nhost: web\r\n\r\n",
        &["GET * host=web body= x="],
    ),
    row(
        "another scheme",
        "GET gopher://web/case HTTP/1.1\r\nhost: web\r\n\r\n",
        &["GET gopher://web/case host=web body= x="],
    ),
    row(
        "an empty Host",
        "GET /case HTTP/1.1\r\nhost:\r\n\r\n",
        &["GET /case host= body= x="],
    ),
    row(
        "a Host with a port",
        "GET /case HTTP/1.1\r\nHost: web:8080\r\n\r\n",
        &["GET /case host=web:8080 body= x="],
    ),
    row(
        "a Host that is an IPv6 address",
        "GET /case HTTP/1.1\r\nhost: [::1]:80\r\n\r\n",
        &["GET /case host=[::1]:80 body= x="],
    ),
    row(
        "a Host with two colons",
        "GET /case HTTP/1.1\r\nhost: web:80:81\r\n\r\n",
        &["GET /case host=web:80:81 body= x="],
    ),
    row(
        "a path with dots and slashes",
        "GET //a/../b/%2e%2E/./c?d=/../e HTTP/1.1\r\nhost: web\r\n\r\n",
        &["GET //a/../b/%2e%2E/./c?d=/../e host=web body= x="],
    ),
    row(
        "marks in a path",
        "GET /{a}|b\\^\"[]? HTTP/1.1\r\nhost: web\r\n\r\n",
        &["GET /{a}|b\\^\"[]? host=web body= x="],
    ),
    row(
        "a path beyond ASCII",
        "GET /caf\u{e9} HTTP/1.1\r\nhost: web\r\n\r\n",
        &["GET /caf\u{e9} host=web body= x="],
    ),
    row(
        "a fragment",
        "GET /case#evil HTTP/1.1\r\nhost: web\r\n\r\n",
        &["GET /case host=web body= x="],
    ),
    row(
        "a value with tabs and beyond ASCII",
        "GET /case HTTP/1.1\r\nhost: web\r\nx-case:\t a\tb\u{e9} \t\r\n\r\n",
        &["GET /case host=web body= x=a\tb\u{e9}"],
    ),
    row(
        "an empty value",
        "GET /case HTTP/1.1\r\nhost: web\r\nx-case:\r\n\r\n",
        &["GET /case host=web body= x="],
    ),
    row(
        "all marks a name may have",
        "GET /case HTTP/1.1\r\nhost: web\r\n!#$%&'*+-.^_`|~1a: x\r\n\r\n",
        &["GET /case host=web body= x="],
    ),
    row(
        "names that look like others",
        "POST /case HTTP/1.1\r\nhost: web\r\ncontent-length: 3\r\ncontent-lengthx: 9\r\nxcontent-length: 9\r\ntransfer-encodings: chunked\r\n\r\nabc",
        &["POST /case host=web body=abc x="],
    ),
    row(
        "names with underscores",
        "POST /case HTTP/1.1\r\nhost: web\r\ncontent-length: 3\r\ntransfer_encoding: chunked\r\n\r\nabc",
        &["POST /case host=web body=abc x="],
    ),
    row(
        "an encoding inside of a value",
        "GET /case HTTP/1.1\r\nhost: web\r\nx-case: a; transfer-encoding: chunked\r\n\r\n",
        &["GET /case host=web body= x=a; transfer-encoding: chunked"],
    ),
    row(
        "words in the mesh's name",
        "GET /case HTTP/1.1\r\nhost: web\r\nl5d-client-id: evil\r\nl5d-orig-proto: HTTP/1.0\r\n\r\n",
        &["GET /case host=web body= x="],
    ),
];

/// Refused for what stands behind the framing: name, request, status.
pub(super) const REFUSED: &[(&str, &str, u16)] = &[
    (
        "a target without a slash",
        "GET case HTTP/1.1\r\nhost: web\r\n\r\n",
        400,
    ),
    (
        "a target that is a host and port",
        "GET web:80 HTTP/1.1\r\nhost: web\r\n\r\n",
        400,
    ),
    (
        "a user in the absolute form",
        "GET http://evil@web/case HTTP/1.1\r\nhost: web\r\n\r\n",
        400,
    ),
    (
        "an absolute form without authority",
        "GET http:///case HTTP/1.1\r\nhost: web\r\n\r\n",
        400,
    ),
    (
        "brackets in a path",
        "GET /<case> HTTP/1.1\r\nhost: web\r\n\r\n",
        400,
    ),
];
