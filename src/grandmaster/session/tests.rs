use super::*;

#[test]
fn a_sentence_is_repeated_once_a_minute_and_another_one_is_said_at_once() {
    let (mut said, begin) = (Repeated::default(), Instant::now());
    let cases =
        [(0, "a", true), (10, "a", false), (59, "a", false), (60, "a", true), (61, "b", true), (119, "b", false)];
    for (second, sentence, is_due) in cases {
        assert_eq!(said.is_due(sentence, begin + Duration::from_secs(second)), is_due, "{second}");
    }
}
