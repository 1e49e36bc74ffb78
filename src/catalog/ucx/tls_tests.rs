use super::*;

fn list(value: &str) -> TlsList<'_> {
    TlsList::parse(value)
}

fn kinds(value: &str) -> Vec<(ListErrorKind, &str, Option<String>)> {
    list(value).errors().into_iter().map(|e| (e.kind, &value[e.range.clone()], e.replacement)).collect()
}

#[test]
fn names_are_unique_and_every_expansion_exists() {
    let mut all: Vec<&str> = names().collect();
    all.sort_unstable();
    let count = all.len();
    all.dedup();
    assert_eq!(all.len(), count);
    for (alias, main, aux) in ALIASES {
        for name in main.iter().chain(aux) {
            assert!(TRANSPORTS.contains(name), "{alias}: {name}");
        }
    }
}

#[test]
fn lists_of_real_recipes_are_clean_and_mean_what_they_say() {
    // value, cuda_copy, cuda_ipc, tcp, ib
    for (value, cuda_copy, cuda_ipc, tcp, ib) in [
        ("rc_x,rc,cuda_copy,cuda_ipc", true, true, false, true),
        ("cuda_copy,cuda_ipc,tcp", true, true, true, false),
        ("cuda_ipc,cuda_copy,rc", true, true, false, true),
        ("^cuda_ipc", true, false, true, true),
        ("tcp,self", false, false, true, false),
        ("ib,rc,ud,rc_verbs,ud_verbs,cuda_copy,tcp", true, false, true, true),
        ("all", true, true, true, true),
        ("^all", true, true, true, true),
        ("rc,cuda", true, true, false, true),
        ("srd,cuda_copy", true, false, false, true),
        ("cuda_copy,cuda_ipc,sm,self", true, true, false, false),
        ("rc,sm", false, false, false, true),
        ("tcp,cuda_copy,gdr_copy", true, false, true, false),
        ("^cuda_copy", false, true, true, true),
        ("^cuda", false, false, true, true),
        ("^ib", true, true, true, false),
        ("^tcp,ib", true, true, false, false),
    ] {
        let list = list(value);
        assert_eq!(list.errors(), [], "{value}");
        assert_eq!(list.has_cuda_copy(), cuda_copy, "{value}: cuda_copy");
        assert_eq!(list.has_cuda_ipc(), cuda_ipc, "{value}: cuda_ipc");
        assert_eq!(list.has_tcp(), tcp, "{value}: tcp");
        assert_eq!(list.has_ib(), ib, "{value}: ib");
        assert_eq!(list.has_am_transport(), tcp || ib, "{value}: am");
    }
}

#[test]
fn gga_and_gdaki_do_not_carry_active_messages() {
    assert!(!list("gga,cuda_copy").has_am_transport());
    assert!(!list("rc_gda").has_am_transport());
}

#[test]
fn all_counts_only_when_first_and_alone() {
    assert_eq!(kinds("all,tcp"), [(ListErrorKind::AllNotAlone, "all", None)]);
    assert_eq!(list("all,tcp").mode(), Mode::All);
    assert_eq!(kinds("tcp,all"), [(ListErrorKind::AllNotFirst, "all", None)]);
    assert!(!list("tcp,all").has_cuda_copy(), "`all` is a name that matches nothing here");
    assert_eq!(kinds("^all,tcp"), [(ListErrorKind::AllNotAlone, "all", None)]);
}

#[test]
fn empty_lists_are_refused() {
    for value in ["", "^", ",", "^,"] {
        assert_eq!(kinds(value), [(ListErrorKind::Empty, value, None)], "{value}");
    }
}

#[test]
fn empty_items_are_skipped() {
    assert_eq!(kinds("tcp,,self,"), []);
    assert_eq!(list("tcp,,self,").items().len(), 2);
}

#[test]
fn a_caret_counts_only_before_the_first_item() {
    assert_eq!(kinds("^cuda_ipc,^cuda_copy"), [(ListErrorKind::CaretNotFirst, "^cuda_copy", Some("cuda_copy".into()))]);
    assert!(list("^cuda_ipc,^cuda_copy").has_cuda_copy(), "the second exclusion is dropped");
    assert_eq!(kinds("rc,ud,sm,^cuda_ipc"), [(ListErrorKind::CaretNotFirst, "^cuda_ipc", Some("cuda_ipc".into()))]);
    assert_eq!(kinds("^^tcp"), [(ListErrorKind::CaretNotFirst, "^tcp", Some("tcp".into()))]);
}

#[test]
fn blanks_quotes_and_case_are_part_of_a_name() {
    assert_eq!(kinds("tcp, cuda_copy"), [(ListErrorKind::Blank, " cuda_copy", Some("cuda_copy".into()))]);
    assert!(!list("tcp, cuda_copy").has_cuda_copy());
    assert_eq!(kinds("TCP"), [(ListErrorKind::Case, "TCP", Some("tcp".into()))]);
    assert_eq!(
        kinds("\"rc,cuda_copy\""),
        [
            (ListErrorKind::Quote, "\"rc", Some("rc".into())),
            (ListErrorKind::Quote, "cuda_copy\"", Some("cuda_copy".into())),
        ]
    );
    assert_eq!(kinds(" ALL"), [(ListErrorKind::Blank, " ALL", Some("all".into()))]);
    assert_eq!(kinds("tcp\n"), [(ListErrorKind::Blank, "tcp\n", Some("tcp".into()))]);
}

#[test]
fn unknown_names_have_the_nearest_one() {
    assert_eq!(kinds("rc,cuda_cpy"), [(ListErrorKind::Unknown, "cuda_cpy", Some("cuda_copy".into()))]);
    assert_eq!(kinds("tpc"), [(ListErrorKind::Unknown, "tpc", Some("tcp".into()))]);
    assert_eq!(kinds("cudaipc"), [(ListErrorKind::Unknown, "cudaipc", Some("cuda_ipc".into()))]);
    assert_eq!(kinds("infiniband"), [(ListErrorKind::Unknown, "infiniband", None)]);
    assert_eq!(kinds("rdma,tcp")[0].0, ListErrorKind::Unknown);
}

#[test]
fn strict_and_auxiliary_forms() {
    assert_eq!(kinds("\\rc_mlx5,ud_mlx5:aux"), []);
    let strict = list("\\rc_mlx5,ud_mlx5:aux");
    assert!(strict.has("rc_mlx5"));
    assert!(!strict.has("ud_mlx5"), "bootstrap only");
    assert!(!strict.only_raw_ib_without_aux());
    assert!(!list("\\cuda").has_cuda_copy(), "a backslash stops the alias");
}

#[test]
fn raw_rdma_names_lack_what_connects_them() {
    for value in ["rc_mlx5,cuda_copy", "rc_verbs", "dc_mlx5,self"] {
        assert!(list(value).only_raw_ib_without_aux(), "{value}");
    }
    for value in [
        "rc_x",
        "rc,cuda_copy",
        "dc",
        "rc_mlx5,tcp",
        "rc_mlx5,ud",
        "rc_mlx5,ud_x",
        "rc_mlx5,rc_x",
        "^tcp",
        "all",
        "tcp",
    ] {
        assert!(!list(value).only_raw_ib_without_aux(), "{value}");
    }
}

#[test]
fn an_alias_excluded_keeps_its_bootstrap_transports() {
    let list = list("^rc");
    assert!(!list.has("rc_mlx5"));
    assert!(list.has("ud_mlx5"), "auxiliary in the alias, so not excluded");
    assert!(list.has_ib());
}

#[test]
fn items_covered_by_another_are_redundant() {
    let list = list("ib,rc,ud,rc_verbs,tcp");
    let found: Vec<_> = list.redundant().iter().map(|(a, b)| (a.text, b.text)).collect();
    assert_eq!(found, [("rc", "ib"), ("ud", "ib"), ("rc_verbs", "ib")]);
    let list = TlsList::parse("sm,shm");
    assert_eq!(list.redundant().iter().map(|(a, b)| (a.text, b.text)).collect::<Vec<_>>(), [("shm", "sm")]);
    let recipe = TlsList::parse("rc_x,rc,cuda_copy,cuda_ipc");
    assert_eq!(recipe.redundant().iter().map(|(a, _)| a.text).collect::<Vec<_>>(), ["rc_x"]);
    assert!(TlsList::parse("cuda_copy,tcp").redundant().is_empty());
}

#[test]
fn duplicates_are_told() {
    assert_eq!(kinds("tcp,rc,tcp"), [(ListErrorKind::Duplicate, "tcp", Some(String::new()))]);
}

proptest::proptest! {
    #[test]
    fn ranges_lie_on_characters(value in "[\\^a-c,\\\\: \"_é]{0,16}") {
        let parsed = TlsList::parse(&value);
        for item in parsed.items() {
            assert_eq!(&value[item.range.clone()], item.text);
        }
        for error in parsed.errors() {
            assert!(value.get(error.range).is_some());
        }
        let _ = parsed.redundant();
    }
}
