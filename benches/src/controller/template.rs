//! A text with holes, cut up once and filled thousands of times.

/// Pieces of text, and between them the names of what goes there.
#[derive(Debug)]
pub struct Template {
    pieces: Vec<(String, Option<String>)>,
}

impl Template {
    /// Of a text in which a hole is written `@name@`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut parts = text.split('@');
        let mut pieces = Vec::new();
        while let Some(piece) = parts.next() {
            pieces.push((piece.to_owned(), parts.next().map(str::to_owned)));
        }
        Self { pieces }
    }

    /// The text with each hole filled.
    #[must_use]
    pub fn render(&self, value: impl Fn(&str) -> String) -> String {
        let mut text = String::new();
        for (piece, hole) in &self.pieces {
            text += piece;
            if let Some(name) = hole {
                text += &value(name);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled() {
        let render = |text| Template::new(text).render(|name| format!("<{name}>"));
        assert_eq!(render("a @b@ c@d@"), "a <b> c<d>");
        assert_eq!(render("@b@@c@"), "<b><c>");
        assert_eq!(render("plain"), "plain");
    }
}
