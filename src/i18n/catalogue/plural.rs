//! Plural rules: the expression of C in a catalogue's header that says which form goes with a number.
//!
//! It is worked out anew for each number: it is short, and asked for only where something is counted for a person.

/// Operators by how strongly they bind, the weakest first.
const OPERATORS: [&[&str]; 5] = [
    &["||"],
    &["&&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["%"],
];

/// The rule in a line of the header, `Plural-Forms: nplurals=2; plural=(n != 1);`.
pub(super) fn rule(line: &str) -> Option<&str> {
    let forms = line.strip_prefix("Plural-Forms:")?;
    let mut parts = forms.split(';').map(str::trim);
    parts.find_map(|part| part.strip_prefix("plural="))
}

/// The number of the form; `None` where the rule is none.
pub(super) fn form(rule: &str, n: u64) -> Option<usize> {
    let (value, rest) = choice(rule, n)?;
    rest.is_empty().then(|| usize::try_from(value).ok())?
}

/// `CONDITION ? VALUE : VALUE`, or a value alone; and what follows it.
fn choice(rule: &str, n: u64) -> Option<(u64, &str)> {
    let (condition, rest) = operation(rule, n, &OPERATORS)?;
    let Some(rest) = rest.strip_prefix('?') else {
        return Some((condition, rest));
    };
    let (yes, rest) = choice(rest, n)?;
    let (no, rest) = choice(rest.strip_prefix(':')?, n)?;
    Some((if condition == 0 { no } else { yes }, rest))
}

/// Values with operators of these levels between them, the left ones first.
fn operation<'a>(rule: &'a str, n: u64, levels: &[&[&str]]) -> Option<(u64, &'a str)> {
    let Some((operators, stronger)) = levels.split_first() else {
        return value(rule, n);
    };
    let (mut left, mut rest) = operation(rule, n, stronger)?;
    while let Some(operator) = operators
        .iter()
        .find(|operator| rest.starts_with(**operator))
    {
        let (right, after) = operation(&rest[operator.len()..], n, stronger)?;
        left = match *operator {
            "||" => u64::from(left != 0 || right != 0),
            "&&" => u64::from(left != 0 && right != 0),
            "==" => u64::from(left == right),
            "!=" => u64::from(left != right),
            "<=" => u64::from(left <= right),
            ">=" => u64::from(left >= right),
            "<" => u64::from(left < right),
            ">" => u64::from(left > right),
            _ => left.checked_rem(right)?,
        };
        rest = after;
    }
    Some((left, rest))
}

/// `n`, a number, or something in brackets; with the blanks around it.
fn value(rule: &str, n: u64) -> Option<(u64, &str)> {
    let rule = rule.trim_start();
    let (value, rest) = if let Some(inner) = rule.strip_prefix('(') {
        let (value, rest) = choice(inner, n)?;
        (value, rest.strip_prefix(')')?)
    } else if let Some(rest) = rule.strip_prefix('n') {
        (n, rest)
    } else {
        let end = rule.find(|digit: char| !digit.is_ascii_digit());
        let (digits, rest) = rule.split_at(end.unwrap_or(rule.len()));
        (digits.parse().ok()?, rest)
    };
    Some((value, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_worked_out_as_in_c() {
        for (rule, forms) in [
            ("0", [0, 0, 0, 0, 0]),
            ("(n != 1)", [1, 0, 1, 1, 1]),
            ("n!=1", [1, 0, 1, 1, 1]),
            ("n > 1", [0, 0, 1, 1, 1]),
            ("n==1 ? 0 : n==2 ? 1 : 2", [2, 0, 1, 2, 2]),
            ("(n == 1 || n == 2) && n % 2 == 0", [0, 0, 1, 0, 0]),
            (
                "(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 ? 1 : 2)",
                [2, 0, 1, 2, 2],
            ),
        ] {
            let told = [0, 1, 2, 5, 11].map(|n| form(rule, n));
            assert_eq!(told, forms.map(Some), "{rule}");
        }
    }

    #[test]
    fn what_is_no_rule_picks_nothing() {
        for rule in [
            "",
            "n ?",
            "(n",
            "n n",
            "n % 0",
            "x",
            "99999999999999999999999",
        ] {
            assert_eq!(form(rule, 1), None, "{rule}");
        }
    }

    #[test]
    fn the_rule_is_found_in_the_header() {
        for line in [
            "nplurals=2; plural=(n != 1);",
            "nplurals=2;plural=(n != 1);",
        ] {
            let line = format!("Plural-Forms: {line}");
            assert_eq!(rule(&line), Some("(n != 1)"));
        }
        assert_eq!(rule("Language: de"), None);
    }
}
