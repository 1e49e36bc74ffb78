use super::*;
use crate::catalog::Reading;

fn accepts(kind: &str, values: &[&str]) {
    for value in values {
        assert_eq!(check(kind, value), Ok(()), "{kind} takes `{value}`");
    }
}

fn rejects(kind: &str, values: &[(&str, Option<&str>)]) {
    for (value, suggestion) in values {
        let told = check(kind, value).expect_err(&format!("{kind} refuses `{value}`"));
        assert_eq!(told.reading, Reading::Rejected, "{kind} `{value}`");
        assert_eq!(told.suggestion.as_deref(), *suggestion, "{kind} `{value}`");
        assert!(!told.legal.is_empty());
    }
}

fn reads(kind: &str, value: &str, as_what: &str) {
    let told = check(kind, value).expect_err(&format!("{kind} reads `{value}` differently"));
    assert_eq!(told.reading, Reading::ReadAs(as_what.into()), "{kind} `{value}`");
}

#[test]
fn bool_takes_on_and_off_in_lower_case_only() {
    accepts("BOOL", &["y", "Y", "yes", "YES", "Yes", "n", "N", "no", "No", "on", "off", "1", "0"]);
    rejects(
        "BOOL",
        &[
            ("true", Some("y")),
            ("True", Some("y")),
            ("false", Some("n")),
            ("ON", Some("y")),
            ("OFF", Some("n")),
            ("enable", Some("y")),
            ("", None),
            (" y", Some("y")),
            ("\"y\"", Some("y")),
            ("2", None),
            ("try", None),
            ("auto", None),
        ],
    );
}

#[test]
fn ternaries_add_try_and_auto() {
    accepts("TERNARY", &["y", "n", "try", "TRY", "maybe", "1", "on"]);
    rejects("TERNARY", &[("auto", None), ("true", Some("y"))]);
    accepts("TERNARY_AUTO", &["auto", "AUTO", "try", "maybe", "y", "0"]);
    rejects("TERNARY_AUTO", &[("true", Some("y")), ("", None)]);
    accepts("ON_OFF_AUTO", &["on", "ON", "Off", "yes", "no", "y", "n", "try", "maybe", "auto", "Auto", "1", "0"]);
    rejects("ON_OFF_AUTO", &[("true", Some("y"))]);
}

#[test]
fn enums_ignore_case_and_correct_near_misses() {
    let scheme = "ENUM(auto|get_zcopy|put_zcopy|get_ppln|put_ppln|am|rkey_ptr)";
    accepts(scheme, &["get_zcopy", "GET_ZCOPY", "auto", "am"]);
    rejects(
        scheme,
        &[
            ("get_zcop", Some("get_zcopy")),
            ("get-zcopy", Some("get_zcopy")),
            ("get_zcopy ", Some("get_zcopy")),
            ("rdma", None),
            ("", None),
        ],
    );
}

#[test]
fn bitmaps_and_arrays_check_each_item() {
    accepts("BITMAP(bt|freeze|debug|none)", &["bt", "bt,freeze", "", "bt,,debug"]);
    rejects("BITMAP(bt|freeze|debug|none)", &[("bt,freez", Some("bt,freeze")), ("bt, freeze", Some("bt,freeze"))]);
    accepts("ARRAY(MEMUNITS)", &["8k,inf", "1"]);
    rejects("ARRAY(MEMUNITS)", &[("8k,4Mi", Some("8k,4m"))]);
    accepts("ARRAY(RANGE_SPEC)", &["1-2,7"]);
}

#[test]
fn times_take_one_of_five_units() {
    accepts("TIME", &["10", "10s", "5m", "100ms", "20us", "3ns", "0.5", "1.5s", "600s", ".5s", "1e3us", "inf", " 5s"]);
    rejects(
        "TIME",
        &[
            ("5min", Some("5m")),
            ("1h", Some("60m")),
            ("10 s", Some("10s")),
            ("5sec", Some("5s")),
            ("auto", None),
            ("", None),
            ("s", None),
            ("10S", Some("10s")),
        ],
    );
    reads("TIME", "100msec", "100ms");
    accepts("TIME_UNITS", &["inf", "auto", "10s"]);
    rejects("TIME_UNITS", &[("AUTO", None), ("5min", Some("5m"))]);
}

#[test]
fn memory_is_an_integer_with_one_letter() {
    accepts(
        "MEMUNITS",
        &["0", "8192", "8k", "8K", "8kb", "8KB", "4m", "1g", "2t", "16b", "inf", "INF", "auto", "Auto", "-1"],
    );
    rejects(
        "MEMUNITS",
        &[
            ("1.5m", Some("1536k")),
            ("8KiB", Some("8k")),
            ("4Mi", Some("4m")),
            ("8 k", Some("8k")),
            ("8p", None),
            ("", None),
            ("k", None),
            ("abc", None),
            ("8µ", None),
        ],
    );
    reads("MEMUNITS", "8kbit", "8kb");
}

#[test]
fn counts_read_the_front_of_what_is_written() {
    accepts("UINT", &["4", "inf", "INF", "-1", " 4", "4 "]);
    rejects("UINT", &[("auto", None), ("", None), ("x", None)]);
    reads("UINT", "4x", "4");
    reads("UINT", "1.5", "1");
    accepts("ULUNITS", &["3", "inf", "auto", "AUTO"]);
    rejects("ULUNITS", &[("foo", None), ("", None)]);
    reads("ULUNITS", "8k", "8");
    assert_eq!(check("ULUNITS", "8k").unwrap_err().suggestion.as_deref(), Some("8192"));
    accepts("ULONG", &["10"]);
    accepts("INT", &["-3", "0x10", "010"]);
    rejects("INT", &[("y", None)]);
    accepts("DOUBLE", &["1.5", "1e-3"]);
    accepts("POS_DOUBLE", &["auto", "0.5"]);
    rejects("POS_DOUBLE", &[("0", None), ("-1", None), ("x", None)]);
}

#[test]
fn the_rarer_types() {
    accepts("HEX", &["0x1f", "0XFF", "auto"]);
    rejects("HEX", &[("31", Some("0x1f")), ("0x", None), ("x", None)]);
    accepts("BW", &["12179MBs", "10GBps", "1.5Gb/s", "100 MBps", "auto", "7000MB/s"]);
    rejects("BW", &[("10GB", Some("10GBps")), ("10gbps", Some("10GBps")), ("10", None), ("", None)]);
    accepts("RANGE_SPEC", &["5", "1-10"]);
    rejects("RANGE_SPEC", &[("a-b", None), ("", None)]);
    for kind in ["STRING", "STRING_ARRAY", "PATH_ARRAY", "SIGNO", "ANY", "SOMETHING_NEW", ""] {
        accepts(kind, &["anything at all", ""]);
    }
}

#[test]
fn keyed_values_need_a_value_for_every_key() {
    let thresh = "KEY_VALUE(intra,inter;MEMUNITS)";
    accepts(thresh, &["8k", "inf", "intra:8k,inter:64k", "intra:8k,64k", "0"]);
    rejects(
        thresh,
        &[
            ("abc", None),
            ("intra:8k", None),
            ("intre:8k,1k", Some("inter:8k,1k")),
            ("intra:8KiB,1k", Some("intra:8k,1k")),
            ("", None),
        ],
    );
}

#[test]
fn all_must_stand_alone_when_it_is_first() {
    accepts("ALLOW_LIST", &["all", "^all", "tcp,all", "rc,cuda", "", "^tcp"]);
    rejects("ALLOW_LIST", &[("all,tcp", Some("all")), ("^all,tcp", Some("all"))]);
}

proptest::proptest! {
    #[test]
    fn no_value_makes_a_check_panic(value in "\\PC{0,12}", number in "[-+0-9.eExXinfa]{0,6}[kKmMgGbBiµ ]{0,4}") {
        for kind in [
            "BOOL", "TERNARY", "TERNARY_AUTO", "ON_OFF_AUTO", "ENUM(a|b)", "BITMAP(a|b)", "TIME", "TIME_UNITS", "MEMUNITS", "BW",
            "ULUNITS", "UINT", "ULONG", "INT", "DOUBLE", "POS_DOUBLE", "HEX", "RANGE_SPEC", "KEY_VALUE(a,b;TIME)", "ARRAY(MEMUNITS)",
            "ALLOW_LIST",
        ] {
            for text in [&value, &number] {
                if let Err(told) = check(kind, text)
                    && let Some(right) = told.suggestion
                {
                    // what we tell people to write is legal, except where more than one item of a list is wrong
                    if !text.contains(',') {
                        assert_eq!(check(kind, &right), Ok(()), "{kind}: `{text}` -> `{right}`");
                    }
                }
            }
        }
    }
}
