use super::*;
use http_body_util::{BodyExt, Full, StreamBody};
use std::convert::Infallible;
use tokio_test::task::spawn;

type Frames =
    StreamBody<futures::stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

fn frames(frames: Vec<Frame<Bytes>>) -> Replay<Frames> {
    let frames: Vec<_> = frames.into_iter().map(Ok).collect();
    Replay::new(StreamBody::new(futures::stream::iter(frames)))
}

fn data(text: &str) -> Frame<Bytes> {
    Frame::data(Bytes::copy_from_slice(text.as_bytes()))
}

fn trailers() -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    trailers.insert("sum", "42".parse().unwrap());
    Frame::trailers(trailers)
}

fn next<B: Body<Data = Bytes, Error = Infallible> + Unpin>(body: &mut Replay<B>) -> String {
    let polled = spawn(body.frame()).poll();
    match polled {
        Poll::Pending => "pending".to_owned(),
        Poll::Ready(None) => "end".to_owned(),
        Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => "trailers".to_owned(),
        Poll::Ready(Some(Ok(frame))) => {
            String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
        }
    }
}

fn rest<B: Body<Data = Bytes, Error = Infallible> + Unpin>(mut body: Replay<B>) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        match next(&mut body) {
            end if end == "end" => return all,
            frame => all.push(frame),
        }
    }
}

#[test]
fn a_request_is_given_back_as_it_was() {
    let body = frames(vec![data("one"), data("two"), trailers()]);
    let req = Request::post("http://web/").header("x", "y").body(body);
    let mut req = req.unwrap();
    for sent in 0..4 {
        let kept = Kept::of(&req);
        let mut body = req.into_body();
        for _ in 0..sent {
            next(&mut body);
        }
        req = kept.again().unwrap();
        assert_eq!(next(&mut body), "end", "of the stream that is no more");
        assert_eq!(
            (req.uri().host(), &req.headers()["x"]),
            (Some("web"), &"y".parse().unwrap())
        );
    }
    assert_eq!(rest(req.into_body()), ["one", "two", "trailers"]);
}

#[test]
fn length_and_end_are_those_of_all_that_is_to_be_sent() {
    let req = Request::new(Replay::new(Full::new(Bytes::from_static(b"12345"))));
    let kept = Kept::of(&req);
    let mut body = req.into_body();
    assert_eq!(next(&mut body), "12345");
    assert!(body.is_end_stream());
    let body = kept.again().unwrap().into_body();
    assert!(!body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(5));
    assert_eq!(rest(body), ["12345"]);
}

#[test]
fn a_large_body_is_not_kept() {
    let large = "x".repeat(LIMIT / 2 + 1);
    let req = Request::new(frames(vec![data(&large), data(&large), data("end")]));
    let kept = Kept::of(&req);
    let mut body = req.into_body();
    next(&mut body);
    next(&mut body);
    assert!(body.shared.lock().kept.is_empty());
    assert!(kept.again().is_none());
    assert_eq!(next(&mut body), "end", "the attempt under way goes on");
}

#[test]
fn an_answered_request_is_kept_no_longer() {
    let req = Request::new(frames(vec![data("one"), data("two")]));
    let kept = Kept::of(&req);
    let mut body = req.into_body();
    next(&mut body);
    drop(kept);
    assert!(body.shared.lock().kept.is_empty());
    assert_eq!(rest(body), ["two"]);
}

#[test]
fn an_answer_during_the_second_attempt_loses_nothing() {
    let req = Request::new(frames(vec![data("one"), data("two"), data("three")]));
    let kept = Kept::of(&req);
    let mut body = req.into_body();
    next(&mut body);
    next(&mut body);
    let req = kept.again().unwrap();
    let kept = Kept::of(&req);
    let mut body = req.into_body();
    assert_eq!(next(&mut body), "one");
    drop(kept);
    assert_eq!(rest(body), ["two", "three"]);
}
