//! Keys of options that take a JSON object.

use super::flags::component;
use super::tables::{JSON_ABOUT, JSON_OPTIONS, JSON_ROWS};
use super::text::Text;
use super::{Release, nearest_of};

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Anything, as far as is known.
    Open,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// A truth value.
    Bool,
    /// A word of a list.
    Word,
    /// A word of a list, in any case.
    Name,
    /// No key: the object, or the part that the row names, refuses keys that it does not know.
    Refuses,
}

/// A row of the table: a key has one for each group of releases in which the same holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonRow {
    pub(super) key: Text,
    pub(super) words: Text,
    pub(super) present: u16,
    pub(super) takes: Takes,
}

/// A key that the object of an option may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonKey {
    /// The key.
    pub name: &'static str,
    /// Values it takes, when those are a list: of all releases.
    pub values: Vec<&'static str>,
    /// What it says; empty where nobody wrote that down.
    pub about: &'static str,
}

/// An option that takes a JSON object.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    component: &'static str,
    flag: &'static str,
    rows: &'static [JsonRow],
}

/// Options whose keys are known, each once.
pub fn flags() -> impl Iterator<Item = &'static str> {
    let earlier = |at: usize, flag: Text| JSON_OPTIONS[..at].iter().any(|(_, other, _)| *other == flag);
    JSON_OPTIONS.iter().enumerate().filter(move |(at, (_, flag, _))| !earlier(*at, *flag)).map(|(_, o)| o.1.get())
}

fn objects() -> impl Iterator<Item = Object> {
    JSON_OPTIONS.iter().enumerate().map(|(at, (component, flag, start))| {
        let end = JSON_OPTIONS.get(at + 1).map_or(JSON_ROWS.len(), |next| usize::from(next.2));
        Object { component: component.get(), flag: flag.get(), rows: &JSON_ROWS[usize::from(*start)..end] }
    })
}

/// The object of an option of a component (`dynamo-vllm`, `planner`, `frontend`).
#[must_use]
pub fn object(component: &str, flag: &str) -> Option<Object> {
    objects().find(|object| object.component == component && object.flag == flag)
}

/// Keys of an option at the top of its object, by name; of every component that has it when none is given.
#[must_use]
pub fn keys(flag: &str, component: Option<&str>) -> Vec<JsonKey> {
    let mine = objects().filter(|o| o.flag == flag && component.is_none_or(|name| name == o.component));
    mine.flat_map(|object| object.top().map(move |name| object.key(name)).collect::<Vec<_>>()).collect()
}

/// The releases of a mask: all.
const ANY: u16 = u16::MAX;

impl Object {
    /// The bit of a release; all where it is not known, or was not read.
    fn bit(&self, release: Option<Release>) -> u16 {
        release.and_then(|r| component(self.component)?.bit(r)).unwrap_or(ANY)
    }

    fn of(&self, key: &str, mask: u16) -> Vec<&'static JsonRow> {
        let own = |row: &&JsonRow| row.takes != Takes::Refuses && row.present & mask != 0 && row.key.is(key);
        self.rows.iter().filter(own).collect()
    }

    /// Names right below a part (`""`: at the top), each once.
    fn names(self, part: &str, mask: u16) -> impl Iterator<Item = &'static str> {
        let mut last = "";
        let rows = self.rows.iter().filter(move |row| row.takes != Takes::Refuses && row.present & mask != 0);
        let names = rows.filter_map(move |row| row.key.get().strip_prefix(part)).filter(|name| !name.contains('.'));
        names.filter(move |name| std::mem::replace(&mut last, name) != *name)
    }

    /// Keys at the top of the object, of all releases, by name.
    pub fn top(self) -> impl Iterator<Item = &'static str> {
        self.names("", ANY)
    }

    fn key(&self, name: &'static str) -> JsonKey {
        let words = |row: &JsonRow| row.words.get().split('|').filter(|word| !word.is_empty());
        let values = self.of(name, ANY).into_iter().flat_map(words).collect();
        let told = |row: &&(Text, Text, Text, Text)| {
            (row.0.get(), row.1.get(), row.2.get()) == (self.component, self.flag, name)
        };
        JsonKey { name, values, about: JSON_ABOUT.iter().find(told).map_or("", |row| row.3.get()) }
    }

    /// Whether a release has a key (`pass_config.fuse_norm_quant` below `pass_config`); any where it is not known.
    #[must_use]
    pub fn has(&self, key: &str, release: Option<Release>) -> bool {
        !self.of(key, self.bit(release)).is_empty()
    }

    /// What a key takes in a release, a list with its words; more than one where that differs and the release is not known.
    #[must_use]
    pub fn takes(&self, key: &str, release: Option<Release>) -> Vec<(Takes, &'static str)> {
        self.of(key, self.bit(release)).into_iter().map(|row| (row.takes, row.words.get())).collect()
    }

    /// Whether a part (`""`, `pass_config.`) refuses keys that it does not know; where the release is not known, whether the
    /// newest does.
    #[must_use]
    pub fn refuses(&self, part: &str, release: Option<Release>) -> bool {
        let newest = || component(self.component)?.releases.last().copied();
        let mask = self.bit(release.or_else(newest));
        self.rows.iter().any(|r| r.takes == Takes::Refuses && r.key.is(part) && r.present & mask != 0)
    }

    /// Whether anything is known about the keys of a part.
    #[must_use]
    pub fn opens(&self, part: &str) -> bool {
        self.names(part, ANY).next().is_some()
    }

    /// The name of a part that was probably meant, in a release.
    #[must_use]
    pub fn nearest(&self, part: &str, name: &str, release: Option<Release>) -> Option<&'static str> {
        let names: Vec<&'static str> = self.names(part, self.bit(release)).collect();
        nearest(name, &names)
    }
}

/// The word of a list that was probably meant.
#[must_use]
#[inline(never)]
pub fn nearest<'a>(word: &str, words: &[&'a str]) -> Option<&'a str> {
    nearest_of(word, words.iter().copied(), if word.len() < 9 { 1 } else { 2 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_one_of_its_component() {
        assert!(flags().count() > 15, "{}", flags().count());
        for object in objects() {
            let catalog = component(object.component).expect("a component");
            let found = catalog.flag(object.flag).expect("an option of it");
            // A key goes where its option goes.
            for (row, release) in object.rows.iter().flat_map(|r| catalog.releases.iter().map(move |x| (r, *x))) {
                let has = row.present & object.bit(Some(release)) != 0;
                assert!(
                    !has || row.present == ANY || catalog.accepts(&found, release) == Some(true),
                    "{row:?} {release:?}"
                );
            }
        }
    }

    #[test]
    fn keys_differ_by_component() {
        let names = |component| keys("--kv-events-config", component).iter().map(|key| key.name).collect::<Vec<_>>();
        assert!(names(Some("dynamo-vllm")).contains(&"enable_kv_cache_events"));
        assert!(!names(Some("dynamo-sglang")).contains(&"enable_kv_cache_events"));
        assert!(names(Some("frontend")).is_empty());
        let role = keys("--kv-transfer-config", Some("dynamo-vllm")).into_iter().find(|key| key.name == "kv_role");
        let role = role.expect("known");
        assert!(role.values.contains(&"kv_both") && !role.about.is_empty());
    }

    #[test]
    fn keys_and_words_come_and_go() {
        let compilation = object("dynamo-vllm", "--compilation-config").expect("known");
        assert!(compilation.has("level", Some((0, 7))) && !compilation.has("level", Some((1, 6))));
        assert!(compilation.has("mode", Some((1, 6))) && !compilation.has("mode", Some((0, 7))));
        assert!(compilation.has("level", None) && !compilation.has("levels", None));
        assert!(!compilation.refuses("", Some((0, 8))) && compilation.refuses("", Some((1, 0))));
        assert!(compilation.opens("pass_config.") && !compilation.opens("mode."));
        assert_eq!(compilation.nearest("", "cudagraph_mod", None), Some("cudagraph_mode"));
        let draft = object("dynamo-vllm", "--speculative-config").expect("known");
        let methods = |release| {
            draft.takes("method", release).into_iter().flat_map(|(_, words)| words.split('|')).collect::<Vec<_>>()
        };
        assert!(methods(Some((1, 6))).contains(&"dflash") && !methods(Some((1, 0))).contains(&"dflash"));
        let planner = object("planner", "--config").expect("known");
        assert!(!planner.refuses("", None) && planner.refuses("scheduling.", None));
    }
}
