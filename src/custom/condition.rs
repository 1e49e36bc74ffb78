//! Whether a condition holds, when that can be known.

use cel::{Context, ExecutionError, Program, Value};

use super::values::Values;

/// What a condition comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It holds: the rule speaks.
    Yes,
    /// It does not.
    No,
    /// It rests on something that the manifest does not tell, or cannot be evaluated; why.
    Undecided(String),
}

/// Evaluates a condition. Values that cannot be known make it undecided where it names them, and where it comes out
/// differently with them there and not there.
pub(super) fn decide(program: &Program, source: &str, values: &Values) -> Outcome {
    let with = evaluate(program, &values.context(true));
    if values.unknown.is_empty() {
        return match with {
            Ok(true) => Outcome::Yes,
            Ok(false) => Outcome::No,
            Err(why) => Outcome::Undecided(why),
        };
    }
    let without = evaluate(program, &values.context(false));
    // Certainly silent either way, whoever is named.
    if (&with, &without) == (&Ok(false), &Ok(false)) && !values.unknown.iter().any(|name| names(source, name)) {
        return Outcome::No;
    }
    if let Some(name) = values.unknown.iter().find(|name| names(source, name)) {
        return Outcome::Undecided(format!("`{name}` cannot be known from the manifest"));
    }
    match (with, without) {
        (Ok(a), Ok(b)) if a == b => {
            if a {
                Outcome::Yes
            } else {
                Outcome::No
            }
        }
        (Err(why), _) | (_, Err(why)) => Outcome::Undecided(why),
        _ => Outcome::Undecided("it depends on a value that cannot be known from the manifest".to_owned()),
    }
}

fn evaluate(program: &Program, context: &Context<'_, '_>) -> Result<bool, String> {
    match program.execute(context) {
        Ok(Value::Bool(holds)) => Ok(holds),
        Ok(other) => Err(format!("the condition is a {}, not a boolean", other.type_of())),
        Err(ExecutionError::NoSuchKey(key)) => {
            Err(format!("`{key}` is not there (`.?{key}` asks for what may be missing)"))
        }
        Err(error) => Err(format!("the condition fails here: {error}")),
    }
}

/// Whether an expression holds that name as a word of its own.
fn names(source: &str, name: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    source
        .match_indices(name)
        .any(|(at, found)| !source[..at].ends_with(part) && !source[at + found.len()..].starts_with(part))
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_name_is_a_word() {
        assert!(names("service.env.UCX_TLS == 'all'", "UCX_TLS"));
        assert!(names("'--router-mode' in service.flags", "--router-mode"));
        assert!(!names("service.env.UCX_TLS_X == 'all'", "UCX_TLS"));
        assert!(!names("'--router-mode-x' in service.flags", "--router-mode"));
    }
}
