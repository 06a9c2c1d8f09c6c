//! Each row of the [table](super::table), byte by byte and through hyper.

use super::table::refused;
use super::wire::serve;
use super::{Framing, NEXT, Step};

#[test]
fn each_is_refused_for_its_reason_however_it_arrives() {
    for (bytes, expected) in refused() {
        let whole = Framing::new().advance(bytes.as_bytes());
        let Step::Refuse {
            at,
            violation,
            part,
        } = whole
        else {
            panic!("not refused: {bytes:?}");
        };
        assert_eq!(violation, expected, "{bytes:?}");
        // One by one, the same byte is at fault: nothing depends on segments,
        // but where in a value of a known field the fault is told from its run.
        let mut framing = Framing::new();
        let one_by_one = bytes
            .bytes()
            .enumerate()
            .find_map(|(n, b)| match framing.advance(&[b]) {
                Step::Refuse {
                    violation, part, ..
                } => Some((n, violation, part)),
                _ => None,
            });
        let (n, found, in_part) = one_by_one.unwrap();
        assert!(n >= at, "{bytes:?}");
        assert_eq!((found, in_part), (violation, part), "{bytes:?}");
    }
}

#[tokio::test]
async fn each_is_answered_with_400_and_close() {
    for (bytes, violation) in refused() {
        for size in [1, 5, usize::MAX] {
            let all = [NEXT, &bytes, NEXT, NEXT].concat();
            let served = serve(&all, &[size]).await;
            assert_eq!(served.statuses(), [200, 400], "{bytes:?}");
            assert_eq!(served.violation, Some(violation.reason()), "{bytes:?}");
        }
    }
}
