//! Which bytes may stand where. These run for each byte of a head: names by a
//! table, the longer targets and values without a branch, so that the compiler
//! checks sixteen bytes at once.

/// `tchar` of RFC 9110, 5.6.2: methods and field names.
pub(crate) const fn is_token(b: u8) -> bool {
    TOKEN[b as usize]
}

/// What a request target may be made of: anything visible, also beyond ASCII,
/// since clients do send it and it moves no boundary.
pub(crate) const fn is_target(b: u8) -> bool {
    (b > b' ') & (b != 0x7f)
}

/// `field-content` of RFC 9110, 5.5, with white space.
pub(super) const fn is_value(b: u8) -> bool {
    (b >= b' ') & (b != 0x7f) | (b == b'\t')
}

/// `uri-host` and `port` of RFC 3986, 3.2, by its characters; without the comma,
/// by which some recipients would make a list of it.
pub(super) const fn is_host(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(b, b'-' | b'.' | b'_' | b'~' | b'%' | b':' | b'[' | b']')
        || matches!(
            b,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b';' | b'='
        )
}

/// Optional white space.
pub(super) const fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t')
}

/// How many bytes of `bytes` stand before the first that is not `of` a kind.
pub(super) fn run(bytes: &[u8], of: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|b| !of(*b)).unwrap_or(bytes.len())
}

/// [`run`] for longer runs, of a kind that is told without a branch.
pub(super) fn long_run(bytes: &[u8], of: impl Fn(u8) -> bool) -> usize {
    let (blocks, _) = bytes.as_chunks::<16>();
    let whole = |block: &[u8; 16]| block.iter().fold(true, |all, b| all & of(*b));
    let n = 16
        * blocks
            .iter()
            .position(|block| !whole(block))
            .unwrap_or(blocks.len());
    n + run(&bytes[n..], of)
}

static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0u8;
    while b < 0x80 {
        table[b as usize] = b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.'
            )
            || matches!(b, b'^' | b'_' | b'`' | b'|' | b'~');
        b += 1;
    }
    table
};
