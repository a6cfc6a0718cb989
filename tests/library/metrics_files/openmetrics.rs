//! A reader of OpenMetrics 1.0 that forgives nothing: for what the program serves, which has counters, gauges and infos
//! without timestamps or exemplars.

use std::collections::BTreeSet;

/// One line of a page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// As they are written, with their braces; empty without any.
    pub(crate) labels: String,
    pub(crate) value: f64,
}

#[derive(Default)]
struct Family<'a> {
    name: &'a str,
    help: bool,
    kind: Option<&'a str>,
}

/// Every series of the page, or the first line that breaks a rule, and which.
pub(crate) fn strictly(page: &str) -> Result<Vec<Series>, String> {
    let body = page.strip_suffix("# EOF\n").ok_or("the page does not end in # EOF and a line feed")?;
    let (mut families, mut seen, mut found) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    let mut family = Family::default();
    for line in body.split_terminator('\n') {
        let wrong = |why: &str| Err(format!("{why}: {line}"));
        if let Some(words) = line.strip_prefix("# ") {
            let [word, name, rest] = words.splitn(3, ' ').collect::<Vec<_>>()[..] else { return wrong("no metadata") };
            if name != family.name {
                if !families.insert(name) {
                    return wrong("a family again");
                }
                family = Family { name, ..Family::default() };
            }
            if found.last().is_some_and(|last: &Series| last.name == series_name(&family)) {
                return wrong("metadata after its series");
            }
            match word {
                "HELP" if !family.help && !rest.trim().is_empty() => family.help = true,
                "TYPE" if family.kind.is_none() && ["counter", "gauge", "info"].contains(&rest) => {
                    family.kind = Some(rest);
                    let suffixes = ["_total", "_info", "_created", "_count", "_sum", "_bucket"];
                    if suffixes.iter().any(|suffix| name.ends_with(suffix)) {
                        return wrong("a suffix of series in the name of a family");
                    }
                }
                "UNIT" if name.ends_with(&format!("_{rest}")) => {}
                _ => return wrong("metadata that is unknown, empty, or there already"),
            }
            continue;
        }
        let Some((series, value)) = line.rsplit_once(' ') else { return wrong("no value") };
        let (name, labels) = series.split_at(series.find('{').unwrap_or(series.len()));
        if !family.help || family.kind.is_none() || name != series_name(&family) {
            return wrong("a series without help or type, or outside of its family");
        }
        if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
            return wrong("a name");
        }
        if !(labels.is_empty() || are_labels(labels)) {
            return wrong("labels");
        }
        if !seen.insert(series) {
            return wrong("a series again");
        }
        let Ok(value) = value.parse::<f64>() else { return wrong("a value") };
        if !value.is_finite() || (family.kind == Some("counter") && value < 0.0) {
            return wrong("a value that cannot be");
        }
        if family.kind == Some("info") && (value - 1.0).abs() > 0.0 {
            return wrong("an info that is not 1");
        }
        found.push(Series { name: name.into(), labels: labels.into(), value });
    }
    Ok(found)
}

fn series_name(family: &Family) -> String {
    let suffix = match family.kind {
        Some("counter") => "_total",
        Some("info") => "_info",
        _ => "",
    };
    format!("{}{suffix}", family.name)
}

/// `{name="value",...}`, with values that need no escape.
fn are_labels(text: &str) -> bool {
    text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).is_some_and(|inside| {
        inside.split(',').all(|pair| {
            pair.split_once("=\"").and_then(|(name, value)| Some((name, value.strip_suffix('"')?))).is_some_and(
                |(name, value)| {
                    name.bytes().all(|byte| byte.is_ascii_lowercase())
                        && !name.is_empty()
                        && !value.contains(['"', '\\', '\n', '{', '}'])
                },
            )
        })
    })
}

#[test]
fn what_breaks_a_rule_is_refused() {
    let good = "# HELP a_b B.\n# TYPE a_b counter\na_b_total{c=\"d\"} 1\na_b_total{c=\"e\"} 2.5\n# EOF\n";
    assert_eq!(strictly(good).unwrap().len(), 2);
    for (from, to) in [
        ("# EOF\n", ""),
        ("# EOF\n", "# EOF"),
        ("# EOF\n", "# EOF\n\n"),
        ("# HELP a_b B.\n", ""),
        ("# HELP a_b B.\n", "# HELP a_b \n"),
        ("# TYPE a_b counter\n", ""),
        ("counter", "counters"),
        ("# TYPE a_b counter\n", "# TYPE a_b counter\n# TYPE a_b counter\n"),
        ("a_b_total{c=\"d\"}", "a_b{c=\"d\"}"),
        ("c=\"e\"", "c=\"d\""),
        ("c=\"e\"", "c=e"),
        ("2.5", "-2.5"),
        ("2.5", "NaN"),
        ("2.5", ""),
        ("# EOF", "\n# EOF"),
        ("# EOF", "# HELP f F.\n# TYPE f gauge\nf 1\n# HELP a_b B.\n# EOF"),
        ("# EOF", "# HELP a_b C.\n# EOF"),
        ("# EOF", "f 1\n# EOF"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert!(strictly(&bad).is_err(), "{bad}");
    }
}
