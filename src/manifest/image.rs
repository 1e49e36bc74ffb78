//! Image references.

/// An image reference cut into its parts: `[registry[:port]/]path[:tag][@digest]` (`distribution/reference`). What is no
/// reference is cut all the same, so that the parts put together are the text again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// The registry, where one is given, and the path in it.
    pub repository: &'a str,
    /// What follows the first colon of the path's last part.
    pub tag: Option<&'a str>,
    /// What follows the first `@`.
    pub digest: Option<&'a str>,
}

impl<'a> Image<'a> {
    /// Cuts a reference.
    #[must_use]
    pub fn cut(text: &'a str) -> Self {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        // A colon before the last slash belongs to the port of a registry.
        let last = name.rfind('/').map_or(0, |at| at + 1);
        match name[last..].find(':') {
            Some(colon) => Self { repository: &name[..last + colon], tag: Some(&name[last + colon + 1..]), digest },
            None => Self { repository: name, tag: None, digest },
        }
    }

    /// The last part of the repository.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.place().1
    }

    /// Its name, of an image of the Docker library.
    #[must_use]
    pub fn library(&self) -> Option<&'a str> {
        let (place, name) = self.place();
        matches!(place, "" | "docker.io" | "docker.io/library").then_some(name)
    }

    /// What stands before the last part of the repository, without its slash, and that part.
    #[must_use]
    pub fn place(&self) -> (&'a str, &'a str) {
        self.repository.rsplit_once('/').unwrap_or(("", self.repository))
    }
}

#[cfg(test)]
mod tests {
    use super::Image;
    use proptest::prelude::*;

    const DOMAIN: &str =
        "(localhost|[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?(\\.[a-z0-9]{1,4}){1,2}|\\[[0-9a-f:]{2,9}\\])(:[0-9]{1,5})?/";
    const PATH: &str =
        "[a-z0-9]{1,6}(([._]|__|-{1,3})[a-z0-9]{1,4}){0,2}(/[a-z0-9]{1,6}(([._]|__|-)[a-z0-9]{1,4}){0,2}){0,3}";
    const TAG: &str = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}";
    const DIGEST: &str = "(sha256|sha512|a-b\\+c\\.d_e):[0-9a-f]{32,64}";

    proptest! {
        /// Everything that the grammar of `distribution/reference` (`regexp.go`) writes is cut where it writes the marks.
        #[test]
        fn references(
            domain in prop::option::of(DOMAIN),
            path in PATH,
            tag in prop::option::of(TAG),
            digest in prop::option::of(DIGEST),
        ) {
            let repository = format!("{}{path}", domain.unwrap_or_default());
            let mut text = repository.clone();
            tag.iter().for_each(|tag| text = format!("{text}:{tag}"));
            digest.iter().for_each(|digest| text = format!("{text}@{digest}"));
            let cut = Image::cut(&text);
            prop_assert_eq!(cut, Image { repository: &repository, tag: tag.as_deref(), digest: digest.as_deref() });
            let (place, name) = cut.place();
            prop_assert_eq!(name, path.rsplit('/').next().unwrap_or_default());
            let whole = if place.is_empty() { name.to_owned() } else { format!("{place}/{name}") };
            prop_assert_eq!(whole, repository);
        }

        /// Nothing is lost of a text that is no reference.
        #[test]
        fn any_text(text in "[a-zA-Z0-9:/@${}._ -]{0,40}") {
            let cut = Image::cut(&text);
            let mut whole = cut.repository.to_owned();
            cut.tag.iter().for_each(|tag| whole = format!("{whole}:{tag}"));
            cut.digest.iter().for_each(|digest| whole = format!("{whole}@{digest}"));
            prop_assert_eq!(whole, text);
        }
    }

    #[test]
    fn two_colons_are_no_port() {
        let cut = Image::cut("localhost:5000/a/vllm-runtime:1.4.0:x@sha256:12");
        assert_eq!((cut.name(), cut.tag, cut.digest), ("vllm-runtime", Some("1.4.0:x"), Some("sha256:12")));
        assert_eq!(Image::cut("localhost:5000/a").tag, None);
    }
}
