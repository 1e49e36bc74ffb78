//! Every real file at hand.

use dynlint::source::Span;
use dynlint::yaml::{Kind, Node, Style, text};

use crate::support::{Parsed, real_files, walk};

/// What must hold of every tree, whatever it was read from.
pub fn check_tree(parsed: &Parsed, root: &Node) {
    walk(root, &mut |node| {
        let raw = parsed.slice(node.span);
        match &*node.kind {
            Kind::Scalar(scalar) => {
                let traced = text(node, &parsed.sources).expect("a text");
                assert_eq!(traced.as_str(), &*scalar.value);
                assert_eq!(traced.whole(), node.span);
                match scalar.style {
                    Style::Plain if !raw.contains('\n') => assert_eq!(raw, &*scalar.value),
                    Style::Plain => {}
                    Style::Single => assert!(raw.len() >= 2 && raw.starts_with('\'') && raw.ends_with('\''), "{raw}"),
                    Style::Double => assert!(raw.len() >= 2 && raw.starts_with('"') && raw.ends_with('"'), "{raw}"),
                    Style::Literal => assert!(raw.starts_with('|'), "{raw}"),
                    Style::Folded => assert!(raw.starts_with('>'), "{raw}"),
                }
                let lines = scalar.value.trim_end().lines().filter(|l| !l.trim().is_empty()).count();
                if matches!(scalar.style, Style::Literal | Style::Folded) && node.span.start > 0 {
                    assert!(traced.pieces().len() >= lines, "traced in one piece: {raw}");
                }
                // Pieces as long as what they stand for are that, byte for byte; a line end may have become a blank.
                for piece in traced.pieces() {
                    let part = &scalar.value[piece.at as usize..(piece.at + piece.len) as usize];
                    // Some escapes are as long as what they stand for.
                    let raw = parsed.slice(piece.span);
                    if piece.len == piece.span.len() && part.len() > 1 && !raw.contains(['\'', '\\']) {
                        assert_eq!(raw.replace(['\n', '\r'], " "), part.replace('\n', " "));
                    }
                }
            }
            Kind::Seq(items) => {
                let opens = if raw.starts_with('[') { raw.ends_with(']') } else { raw.starts_with('-') };
                assert!(opens, "{raw}");
                ordered(node.span, items.iter().map(place));
            }
            Kind::Map(map) => {
                if raw.starts_with('{') {
                    assert!(raw.ends_with('}'), "{raw}");
                }
                let own = map.entries.iter().filter(|e| e.inherited.is_none());
                ordered(node.span, own.flat_map(|e| [e.key.span, place(&e.value)]));
            }
        }
    });
}

fn place(node: &Node) -> Span {
    node.alias().unwrap_or(node.span)
}

fn ordered(within: Span, spans: impl Iterator<Item = Span>) {
    let mut at = within.start;
    for span in spans {
        assert!(
            at <= span.start && span.start <= span.end && span.end <= within.end,
            "{span:?} after {at} in {within:?}"
        );
        at = span.end;
    }
}

#[test]
fn trees_of_real_files_stand_where_they_say() {
    let (mut documents, mut broken) = (0, 0);
    for (path, text) in real_files() {
        println!("{}", path.display());
        let parsed = Parsed::new(&text);
        for comment in &parsed.stream.comments {
            let raw = parsed.slice(comment.span);
            assert!(raw.starts_with('#') && !raw.contains('\n'), "{raw:?}");
        }
        assert!(parsed.stream.comments.is_sorted_by_key(|c| c.span));
        for document in &parsed.stream.documents {
            documents += 1;
            if let Some(root) = &document.root {
                assert!(document.span.start <= root.span.start && root.span.end <= document.span.end);
                check_tree(&parsed, root);
            }
        }
        broken += usize::from(!parsed.stream.problems.is_empty());
    }
    println!("{documents} documents, {broken} files with problems");
    assert!(documents > 20);
}
