//! What was probably meant.

/// The most similar name, if it is similar at all: a third of it may differ.
pub(crate) fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let close = |name: &str| name.chars().count().div_ceil(3);
    names
        .map(|name| (distance(wrong, name), name))
        .filter(|(distance, name)| *distance <= close(name))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters must be added, removed or changed to make one of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    // No key is near a text as long as this, and the work grows with the length.
    if one.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        for (column, other_letter) in other.iter().enumerate() {
            let Some(place) = row.get_mut(column + 1) else { break };
            let above = *place;
            let changed = diagonal + usize::from(letter != *other_letter);
            left = changed.min(above + 1).min(left + 1);
            diagonal = above;
            *place = left;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_counted_in_letters() {
        for (one, other, expected) in [
            ("", "abc", 3),
            ("memory", "memory", 0),
            ("memroy", "memory", 2),
            ("memor", "memory", 1),
            ("kitten", "sitting", 3),
            ("ä", "a", 1),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            // Symmetric, but for the first row.
            if !one.is_empty() {
                assert_eq!(distance(other, one), expected, "{other} {one}");
            }
        }
    }
}
