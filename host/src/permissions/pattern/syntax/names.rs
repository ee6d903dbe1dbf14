//! The names of groups.

use std::iter::Peekable;
use std::str::Chars;

use super::characters::read_code_point;

/// The names of the capturing groups in their order; `None` for one without.
pub(super) fn group_names(pattern: &str) -> Vec<Option<String>> {
    let mut names = Vec::new();
    let mut rest = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(c) = rest.next() {
        match c {
            '\\' => {
                rest.next();
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => {
                if rest.next_if_eq(&'?').is_none() {
                    names.push(None);
                } else if rest.next_if_eq(&'<').is_some()
                    && rest.peek().is_some_and(|next| !matches!(next, '=' | '!'))
                {
                    names.push(read_name(&mut rest).ok());
                }
            }
            _ => {}
        }
    }
    names
}

/// Reads `name>`; escapes of code points in a name are resolved.
pub(super) fn read_name(rest: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let mut name = String::new();
    loop {
        match rest.next() {
            Some('>') if !name.is_empty() => return Ok(name),
            Some('\\') => {
                if rest.next() != Some('u') {
                    return Err("invalid name of a group".to_owned());
                }
                let code = read_code_point(rest)?;
                name.push(char::from_u32(code).ok_or("invalid name of a group")?);
            }
            Some('>') | None => return Err("invalid name of a group".to_owned()),
            Some(c) => name.push(c),
        }
    }
}
