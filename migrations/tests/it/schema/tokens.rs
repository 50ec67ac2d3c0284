//! SQL and PL/pgSQL as tokens: two texts that differ in comments and whitespace alone have the same tokens.

/// A token, and the line that it begins on, from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

/// The tokens of a text. Comments (`--` and nested `/* */`) are left out; a literal of any kind is one token, whatever is in it.
pub(crate) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let (mut rest, mut line, mut found) = (sql, 1, Vec::new());
    while let Some(first) = rest.chars().next() {
        let length = length_of_next(rest, first);
        let (text, after) = rest.split_at(length);
        if !first.is_whitespace() && !is_comment(text) {
            found.push(Token { text, line });
        }
        line += text.matches('\n').count();
        rest = after;
    }
    found
}

/// Whether two texts have the same tokens.
pub(crate) fn are_same(one: &str, other: &str) -> bool {
    first_difference(one, other).is_none()
}

/// The lines on which the first tokens stand that differ. A text that ends there has its last line.
pub(crate) fn first_difference(one: &str, other: &str) -> Option<(usize, usize)> {
    let (ones, others) = (tokens(one), tokens(other));
    let same = ones.iter().zip(&others).take_while(|(one, other)| one.text == other.text).count();
    let line = |tokens: &[Token<'_>]| tokens.get(same).or(tokens.last()).map_or(1, |token| token.line);
    (same < ones.len().max(others.len())).then(|| (line(&ones), line(&others)))
}

fn is_comment(token: &str) -> bool {
    token.starts_with("--") || token.starts_with("/*")
}

/// How many bytes the token, comment or whitespace at the start has.
fn length_of_next(rest: &str, first: char) -> usize {
    let while_true = |is_part: fn(char) -> bool| rest.find(|part| !is_part(part)).unwrap_or(rest.len());
    match first {
        _ if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
        _ if rest.starts_with("/*") => block_comment(rest),
        '\'' => quoted(rest, 0, '\'', false),
        '"' => quoted(rest, 0, '"', false),
        'e' | 'E' if rest[1..].starts_with('\'') => quoted(rest, 1, '\'', true),
        '$' => dollar_quoted(rest)
            .unwrap_or_else(|| 1 + rest[1..].find(|part: char| !is_word(part)).unwrap_or(rest.len() - 1)),
        _ if first.is_whitespace() => while_true(char::is_whitespace),
        _ if is_word(first) => while_true(is_word),
        _ if is_operator(first) => operator(rest),
        _ => first.len_utf8(),
    }
}

/// Letters, digits, and whatever else a name or a number may have after its first character.
fn is_word(part: char) -> bool {
    part.is_alphanumeric() || part == '_' || part == '$'
}

/// `:` too, so that `:=` and `::` are one token.
fn is_operator(part: char) -> bool {
    "+-*/<>=~!@#%^&|`?:".contains(part)
}

/// An operator ends where a comment begins.
fn operator(rest: &str) -> usize {
    let end = rest.find(|part| !is_operator(part)).unwrap_or(rest.len());
    ["--", "/*"].iter().filter_map(|comment| rest[..end].find(comment)).min().unwrap_or(end)
}

/// A quote within the literal is doubled; with backslashes, or escaped.
fn quoted(rest: &str, start: usize, quote: char, has_backslashes: bool) -> usize {
    let mut parts = rest.char_indices().skip(start + 1).peekable();
    while let Some((at, part)) = parts.next() {
        if part == '\\' && has_backslashes {
            parts.next();
        } else if part == quote && parts.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    rest.len()
}

/// `$tag$ ... $tag$`; `None` for a parameter such as `$1`.
fn dollar_quoted(rest: &str) -> Option<usize> {
    let tag_end = 1 + rest[1..].find('$')?;
    let tag = &rest[..=tag_end];
    let name = &tag[1..tag_end];
    if name.starts_with(|first: char| first.is_ascii_digit())
        || !name.chars().all(|part| part.is_alphanumeric() || part == '_')
    {
        return None;
    }
    Some(rest[tag.len()..].find(tag).map_or(rest.len(), |end| end + 2 * tag.len()))
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += rest[at..].chars().next().map_or(0, char::len_utf8);
        }
        if depth == 0 || at == rest.len() {
            return at;
        }
    }
}

#[test]
fn comments_and_whitespace_are_no_difference() {
    let plain = "SELECT a::text, 'it''s' FROM t WHERE a<=1 AND b -> 'c' = $1";
    for same in [
        "SELECT a::text,'it''s'\n\tFROM t -- Why; \"quoted\" and 'quoted\nWHERE a <= 1 AND b->'c'=$1",
        "/* a /* nested */ comment */SELECT a :: text , 'it''s' FROM t WHERE a/* here */<=--there\n1 AND b -> 'c' = $1 --",
    ] {
        assert!(are_same(plain, same), "{same}\n{:?}", tokens(same));
    }
}

#[test]
fn whatever_else_is_a_difference() {
    for (one, other) in [
        ("SELECT 1", "SELECT 1;"),
        ("SELECT 1", "select 1"),
        ("SELECT ab", "SELECT a b"),
        ("a := b", "a = b"),
        ("a - -b", "a b"),
        // What looks like a comment or like whitespace, within a literal.
        ("SELECT '-- a'", "SELECT '-- b'"),
        ("SELECT 'a b'", "SELECT 'a  b'"),
        ("SELECT '/* a */'", "SELECT ''"),
        ("SELECT \"-- a\"", "SELECT \"-- b\""),
        ("EXECUTE $q$ -- a\n$q$", "EXECUTE $q$ -- b\n$q$"),
        ("EXECUTE $$ $q$ -- a $$", "EXECUTE $$ $q$ -- b $$"),
        ("SELECT E'\\' -- a'", "SELECT E'\\' -- b'"),
        ("SELECT 'it''s -- a'", "SELECT 'it''s -- b'"),
        // After a literal, a comment is one again, and code is code.
        ("SELECT '\\' || a", "SELECT '\\' || b"),
        ("SELECT $1, '-- ' || a", "SELECT $1, '-- ' || b"),
    ] {
        assert!(!are_same(one, other), "{one} / {other}");
        assert!(are_same(one, one) && are_same(other, other));
    }
}

#[test]
fn the_first_difference_has_its_lines() {
    assert_eq!(first_difference("a\n-- why\nb c", "a b\nd"), Some((3, 2)));
    assert_eq!(first_difference("a\nb\n", "a\nb\nc"), Some((2, 3)));
    assert_eq!(first_difference("", "a"), Some((1, 1)));
    assert_eq!(first_difference("a -- b", "a"), None);
}
