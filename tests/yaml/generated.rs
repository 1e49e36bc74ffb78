//! Made-up documents: read back as they were meant, where they stand, and as another parser reads them.

use dynlint::source::Text;
use dynlint::yaml::{self, Kind, Limits, Node, Typed};
use proptest::prelude::*;

use crate::corpus::check_tree;
use crate::differential;
use crate::model::{Layout, Model, layout, model, render};
use crate::support::Parsed;

fn assert_means(node: &Node, model: &Model) {
    match (&*node.kind, model) {
        (Kind::Scalar(scalar), Model::Scalar(text, _)) => {
            assert_eq!(&*scalar.value, text);
            assert_eq!(scalar.typed, Typed::Str);
        }
        (Kind::Seq(items), Model::Seq(meant)) => {
            assert_eq!(items.len(), meant.len());
            items.iter().zip(meant).for_each(|(node, model)| assert_means(node, model));
        }
        (Kind::Map(map), Model::Map(meant)) => {
            let keys: Vec<&str> = map.entries.iter().map(|e| &*e.key.name).collect();
            assert_eq!(keys, meant.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>());
            map.entries.iter().zip(meant).for_each(|(entry, (_, model))| assert_means(&entry.value, model));
        }
        (kind, model) => panic!("{kind:?} is not {model:?}"),
    }
}

fn check(model: &Model, layout: Layout) {
    let text = render(model, layout);
    let parsed = Parsed::new(&text);
    let root = parsed.root();
    assert_means(root, model);
    check_tree(&parsed, root);
    let comments = text.matches("# c: |").count() + text.matches("# whole line").count();
    assert_eq!(parsed.stream.comments.len(), comments);
    differential::same_as_saphyr(&parsed, 0);
}

/// The same inside a block scalar: everything stands in the outer file.
fn check_embedded(model: &Model, layout: Layout) {
    let inner = render(model, Layout { crlf: false, ..layout });
    let outer: String =
        inner.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }).collect();
    let first = inner.lines().find(|l| !l.trim().is_empty()).unwrap_or_default();
    prop_assume_first(first);
    let parsed = Parsed::new(&format!("data:\n  config: |+\n{outer}"));
    let held = parsed.root().at(&["data", "config"]).expect("the string");
    let text = yaml::text(held, &parsed.sources).expect("a text");
    let root = yaml::parse_embedded(&text, &Limits::default()).expect("good YAML").expect("a root");
    assert_means(&root, model);
    standalone(&parsed, &root, &text);
}

/// Every byte of an embedded scalar that stands for itself is the same byte in the file.
fn standalone(parsed: &Parsed, node: &Node, text: &Text) {
    assert!(text.whole().start <= node.span.start && node.span.end <= text.whole().end);
    match &*node.kind {
        Kind::Scalar(scalar) => {
            let traced = yaml::text(node, &parsed.sources).expect("a text");
            assert_eq!(traced.as_str(), &*scalar.value);
            for piece in traced.pieces() {
                let part = &scalar.value[piece.at as usize..(piece.at + piece.len) as usize];
                let raw = parsed.slice(piece.span);
                if piece.len == piece.span.len()
                    && part.len() > 1
                    && !part.contains('\n')
                    && !raw.contains(['\'', '\\'])
                {
                    assert_eq!(raw.replace('\n', " "), part);
                }
            }
        }
        Kind::Seq(items) => items.iter().for_each(|n| standalone(parsed, n, text)),
        Kind::Map(map) => {
            for entry in &map.entries {
                let raw = parsed.slice(entry.key.span);
                assert!(raw == &*entry.key.name || raw.starts_with('"'), "{raw}");
                standalone(parsed, &entry.value, text);
            }
        }
    }
}

/// The renderer never begins a document with a blank.
fn prop_assume_first(first: &str) {
    assert!(!first.starts_with(' '), "{first:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn documents_are_read_as_meant(model in model(), layout in layout()) {
        check(&model, layout);
    }

    #[test]
    fn documents_inside_a_string_too(model in model(), layout in layout()) {
        check_embedded(&model, layout);
    }

    #[test]
    fn documents_and_separators_are_the_file(
        models in prop::collection::vec((model(), layout()), 1..5),
        separators in prop::collection::vec("---( {0,2}|  # note)\r?\n", 5),
        lead in "(# licence\n)?",
        leading_separator in any::<bool>(),
    ) {
        let mut text = lead;
        for (n, (model, layout)) in models.iter().enumerate() {
            if n > 0 || leading_separator {
                text.push_str(&separators[n]);
            }
            text.push_str(&render(model, *layout));
        }
        let parsed = Parsed::new(&text);
        prop_assert_eq!(&parsed.stream.problems.len(), &0, "{:?}", parsed.stream.problems);
        let documents = &parsed.stream.documents;
        prop_assert_eq!(documents.len(), models.len());
        let mut rebuilt = text[..documents[0].span.start as usize].to_owned();
        for (n, document) in documents.iter().enumerate() {
            prop_assert_eq!(document.index, n);
            if n > 0 {
                let gap = &text[documents[n - 1].span.end as usize..document.span.start as usize];
                prop_assert!(gap.starts_with("---") && gap.ends_with('\n') && gap.matches('\n').count() == 1);
                rebuilt.push_str(gap);
            }
            rebuilt.push_str(parsed.slice(document.span));
            assert_means(document.root.as_ref().expect("a root"), &models[n].0);
        }
        prop_assert_eq!(rebuilt, text);
    }

    /// Whatever the bytes: no panic, spans inside the file, texts equal to values.
    #[test]
    fn any_text_is_survived(text in "([a-c:#&*!|>?,'\"{}\\[\\]%@`\\\\~<-]|[ \n\t\r]|---|: |- |<<: |\\*a|&a |\u{4e2d}|\u{feff}|\u{85}){0,60}") {
        let parsed = Parsed::new(&text);
        for problem in &parsed.stream.problems {
            prop_assert!(problem.span.start <= problem.span.end && text.get(problem.span.range()).is_some());
        }
        for comment in &parsed.stream.comments {
            prop_assert!(text[comment.span.range()].starts_with('#'));
        }
        for document in &parsed.stream.documents {
            if let Some(root) = &document.root {
                crate::support::walk(root, &mut |node| {
                    assert!(text.get(node.span.range()).is_some(), "{:?} {text:?}", node.span);
                    if let Some(scalar) = node.as_scalar() {
                        assert_eq!(yaml::text(node, &parsed.sources).expect("a text").as_str(), &*scalar.value);
                    }
                });
            }
        }
        let text = Text::opaque(text.clone(), dynlint::source::Span::new(parsed.file.id, 0, parsed.file.text.len() as u32));
        let _ = yaml::parse_embedded(&text, &Limits::default());
        let _ = yaml::parse_embedded_all(&text, &Limits::default());
    }
}
