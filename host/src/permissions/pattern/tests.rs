use super::Pattern;
#[test]
fn smoke() {
    for (p, t, e) in [
        ("a", "cat", true),
        (r"\Bb\B", "abc", true),
        (r"(?<=a)b", "ab", true),
    ] {
        assert_eq!(Pattern::new(p).unwrap().is_match(t), Ok(e), "{p}");
    }
}
