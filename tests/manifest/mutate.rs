//! Mistakes in an object, made without knowing what is right there. The same number makes the same mistake on every machine,
//! so that only what a real API server said about it has to be kept.

use dynlint::catalog::crd::{self, Field, Type};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// Sebastiano Vigna's splitmix64: small, and the same for ever.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: &str) -> Self {
        let digest = Sha256::digest(seed.as_bytes());
        Self(digest[..8].iter().fold(0, |n, b| n << 8 | u64::from(*b)))
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit.max(1) as u64) as usize
    }

    fn of<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())].clone()
    }
}

/// With its keys in order, whatever order they were read in.
pub fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            Value::Object(keys.into_iter().map(|k| (k.clone(), sorted(&map[k]))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, child) in map {
                let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                out.push(at.clone());
                places(child, &at, out);
            }
        }
        Value::Array(items) => {
            for (index, child) in items.iter().enumerate() {
                let at = format!("{at}/{index}");
                out.push(at.clone());
                places(child, &at, out);
            }
        }
        _ => {}
    }
}

/// One mistake (or, now and then, none) somewhere below `spec`. The text says what was done, for whoever reads a difference.
pub fn mutate(object: &mut Value, dice: &mut Dice) -> Option<String> {
    let root = crd::root(object["kind"].as_str()?, object["apiVersion"].as_str()?)?;
    let mut all = Vec::new();
    places(object.get("spec")?, "/spec", &mut all);
    if all.is_empty() {
        return None;
    }
    // A place that many others lie below is as likely as one deep inside.
    for _ in 0..40 {
        let place = dice.of(&all);
        let what = match dice.below(10) {
            0 => rename(object, &place, dice),
            1 => remove(object, &place),
            2 | 3 => retype(object, &place, dice),
            4 => edge(object, &place, dice),
            5 => double(object, &place),
            6 => bogus(object, &place),
            7 => lift(object, &place),
            _ => known(object, root, &place, dice),
        };
        if let Some(what) = what {
            return Some(format!("{what} at {place}"));
        }
    }
    None
}

fn split(place: &str) -> (&str, String) {
    let (parent, key) = place.rsplit_once('/').unwrap_or(("", place));
    (parent, key.replace("~1", "/").replace("~0", "~"))
}

fn parent<'a>(object: &'a mut Value, place: &str) -> Option<(&'a mut Map<String, Value>, String)> {
    let (parent, key) = split(place);
    Some((object.pointer_mut(parent)?.as_object_mut()?, key))
}

fn rename(object: &mut Value, place: &str, dice: &mut Dice) -> Option<String> {
    let (map, key) = parent(object, place)?;
    let mut letters: Vec<char> = key.chars().collect();
    let at = dice.below(letters.len());
    letters.insert(at, letters[at]);
    let name: String = letters.into_iter().collect();
    let value = map.shift_remove(&key)?;
    map.insert(name.clone(), value);
    Some(format!("renamed to {name}"))
}

fn remove(object: &mut Value, place: &str) -> Option<String> {
    let (map, key) = parent(object, place)?;
    map.shift_remove(&key)?;
    Some("removed".to_owned())
}

fn retype(object: &mut Value, place: &str, dice: &mut Dice) -> Option<String> {
    let value = object.pointer_mut(place)?;
    let other = match value {
        Value::String(_) => dice.of(&[json!(7), json!(true), json!(["a"]), json!({"a": "b"}), json!(1.5), Value::Null]),
        Value::Number(n) => {
            dice.of(&[json!(n.to_string()), json!("many"), json!(true), json!([1]), json!(1.5), json!({})])
        }
        Value::Bool(b) => dice.of(&[json!(b.to_string()), json!(1), json!([true]), json!({})]),
        Value::Array(_) => dice.of(&[json!({}), json!("text"), json!([7]), json!([]), json!(["text"]), Value::Null]),
        Value::Object(_) => dice.of(&[json!("text"), json!([]), json!({}), json!(1), json!([{}]), Value::Null]),
        Value::Null => json!(""),
    };
    *value = other;
    Some(format!("made {value}"))
}

fn edge(object: &mut Value, place: &str, dice: &mut Dice) -> Option<String> {
    let value = object.pointer_mut(place)?;
    *value = match value {
        Value::String(_) => {
            dice.of(&[json!(""), json!("Not_A Name!"), json!("a".repeat(300)), json!("-1"), json!("80GiB")])
        }
        Value::Number(_) => dice.of(&[json!(-1), json!(0), json!(1_u64 << 40), json!(65536)]),
        _ => return None,
    };
    let shown: String = value.to_string().chars().take(20).collect();
    Some(format!("made {shown}"))
}

fn double(object: &mut Value, place: &str) -> Option<String> {
    let items = object.pointer_mut(place)?.as_array_mut()?;
    items.push(items.first()?.clone());
    Some("first item twice".to_owned())
}

fn bogus(object: &mut Value, place: &str) -> Option<String> {
    object.pointer_mut(place)?.as_object_mut()?.insert("bogus".to_owned(), json!("value"));
    Some("bogus field".to_owned())
}

fn lift(object: &mut Value, place: &str) -> Option<String> {
    let (map, key) = parent(object, place)?;
    // A null is dropped wherever it stands.
    let value = map.get(&key).filter(|v| !v.is_null())?.clone();
    map.shift_remove(&key);
    let (above, _) = split(split(place).0);
    object.pointer_mut(above)?.as_object_mut()?.insert(key, value);
    Some("moved up one level".to_owned())
}

/// A field that the schema knows and the object does not have, right or wrong.
fn known(object: &mut Value, root: &'static Field, place: &str, dice: &mut Dice) -> Option<String> {
    let field = place.split('/').skip(1).try_fold(root, |field, step| {
        let step = step.replace("~1", "/").replace("~0", "~");
        field.item().or_else(|| field.child(&step))
    })?;
    let map = object.pointer_mut(place)?.as_object_mut()?;
    let free: Vec<_> = field.children().filter(|(name, _)| !map.contains_key(*name)).collect();
    if free.is_empty() {
        return None;
    }
    let (name, child) = dice.of(&free);
    let value = some(child, dice, 0);
    let what = format!("{name}: {value}");
    map.insert(name.to_owned(), value);
    Some(what.chars().take(120).collect())
}

/// A value that mostly fits.
fn some(field: &'static Field, dice: &mut Dice, depth: usize) -> Value {
    let wanted = field.types().first().copied().unwrap_or(Type::String);
    let wanted = if dice.below(8) == 0 {
        dice.of(&[Type::String, Type::Integer, Type::Boolean, Type::Object, Type::Array, Type::Number])
    } else {
        wanted
    };
    match wanted {
        Type::String => match field.choices() {
            [] => dice.of(&[json!("text"), json!("a.b-c"), json!("10Gi"), json!(""), json!("Some Text_1")]),
            choices => dice.of(&[json!(choices[0]), json!(choices[choices.len() - 1]), json!("other")]),
        },
        Type::Integer => dice.of(&[json!(1), json!(0), json!(-5), json!(8080), json!(70000), json!(3)]),
        Type::Number => dice.of(&[json!(1.5), json!(0), json!(2)]),
        Type::Boolean => json!(dice.below(2) == 0),
        Type::Array => match field.item() {
            Some(item) => (0..=dice.below(2)).map(|_| some(item, dice, depth + 1)).collect(),
            None => json!(["text"]),
        },
        Type::Object => {
            let mut map = Map::new();
            for (name, child) in field.children() {
                let required = field.required().contains(&name);
                // A required field is forgotten at times, others are there at times.
                if (required && dice.below(10) > 0) || (depth < 3 && dice.below(6) == 0) {
                    map.insert(name.to_owned(), some(child, dice, depth + 1));
                }
            }
            if let Some(value) = field.value() {
                map.insert("key".to_owned(), some(value, dice, depth + 1));
            }
            Value::Object(map)
        }
    }
}
