//! Errors of libraries, whose own text is often only the outermost of their reasons.

use std::error::Error;

/// An error and what caused it, after colons; a text that is in the one before it is left out.
pub(crate) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let (mut last, mut cause) = (text.clone(), error.source());
    while let Some(error) = cause {
        let next = error.to_string();
        if !last.contains(&next) {
            text = format!("{text}: {next}");
        }
        (last, cause) = (next, error.source());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    fn layers(texts: &[&'static str]) -> Option<Box<Layer>> {
        let (text, rest) = texts.split_first()?;
        let source = layers(rest);
        Some(Box::new(Layer { text, source }))
    }

    #[test]
    fn every_reason_is_told_once() {
        let error = layers(&["no answer: refused", "refused", "port 1"]).unwrap();
        assert_eq!(causes(&error), "no answer: refused: port 1");
    }
}
