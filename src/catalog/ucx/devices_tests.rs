use super::*;

fn kinds(value: &str) -> Vec<(ListErrorKind, &str, Option<String>)> {
    NetDevices::parse(value).errors().into_iter().map(|e| (e.kind, &value[e.range.clone()], e.replacement)).collect()
}

#[test]
fn real_names_are_classified() {
    for name in [
        "mlx5_0",
        "mlx5_11",
        "mlx5_bond_0",
        "bnxt_re0",
        "irdma0",
        "rdmap113s0",
        "efa_0",
        "hns_0",
        "qib0",
        "roceP1",
        "roce0",
        "rocep1s0f0",
        "mlx4_0",
        "ionic_0",
        "erdma_0",
    ] {
        assert_eq!(kind(name), DeviceKind::Rdma, "{name}");
    }
    for name in
        ["eth0", "ens5", "ens1f0np0", "eno1", "enp3s0", "bond0", "lo", "ib0", "ib1", "net1", "docker0", "gpu0rdma0"]
    {
        assert_eq!(kind(name), DeviceKind::Interface, "{name}");
    }
    for name in ["foo", "", "mxl5_0", "device"] {
        assert_eq!(kind(name), DeviceKind::Unknown, "{name}");
    }
}

#[test]
fn working_lists_are_clean() {
    for value in [
        "mlx5_0:1",
        "mlx5_0:1,mlx5_1:1,mlx5_2:1,mlx5_3:1,mlx5_4:1,mlx5_5:1,mlx5_6:1,mlx5_7:1",
        "mlx5_0",
        "all",
        "^mlx5_0:1",
        "eth0",
        "rdmap113s0:1",
        "mlx5_bond_0:1",
        "mlx5_[0-7]:1",
        "mlx5_*",
        "some-vendor0:1",
        "ibp12s0:1",
    ] {
        assert_eq!(kinds(value), [], "{value}");
    }
}

#[test]
fn ports_and_patterns() {
    let list = NetDevices::parse("mlx5_0:1,mlx5_1,mlx5_[0-7]:1,mlx5_*");
    let facts: Vec<_> = list.devices().iter().map(|d| (d.name, d.port, d.glob, d.brackets)).collect();
    assert_eq!(
        facts,
        [
            ("mlx5_0", Some(1), false, false),
            ("mlx5_1", None, false, false),
            ("mlx5_[0-7]", Some(1), false, true),
            ("mlx5_*", None, true, false),
        ]
    );
    assert_eq!(list.rdma().count(), 4);
    assert!(list.rdma_only());
    assert_eq!(&list.value[list.devices()[1].item.range.clone()], "mlx5_1");
}

#[test]
fn which_classes_a_list_leaves() {
    assert!(NetDevices::parse("eth0,bond0").interfaces_only());
    assert!(!NetDevices::parse("eth0,mlx5_0:1").interfaces_only());
    assert!(!NetDevices::parse("eth0,mlx5_0:1").rdma_only());
    assert!(!NetDevices::parse("^eth0").interfaces_only());
    assert!(!NetDevices::parse("all").rdma_only());
    assert_eq!(NetDevices::parse("^mlx5_0:1").rdma().count(), 0);
    assert!(!NetDevices::parse("").interfaces_only());
}

#[test]
fn slips_are_corrected() {
    for (wrong, right) in [
        ("mxl5_0:1", "mlx5_0:1"),
        ("mlx_5:1", "mlx5_5:1"),
        ("mlx5-0", "mlx5_0"),
        ("mlx50:1", "mlx5_0:1"),
        ("ml5_3:1", "mlx5_3:1"),
    ] {
        assert_eq!(kinds(wrong), [(ListErrorKind::Unknown, wrong, Some(right.into()))], "{wrong}");
    }
    assert_eq!(kinds("MLX5_0:1"), [(ListErrorKind::Case, "MLX5_0:1", Some("mlx5_0:1".into()))]);
}

#[test]
fn list_mistakes() {
    assert_eq!(kinds("mlx5_0:1, mlx5_1:1"), [(ListErrorKind::Blank, " mlx5_1:1", Some("mlx5_1:1".into()))]);
    assert_eq!(kinds("mlx5_0:1,^mlx5_1:1"), [(ListErrorKind::CaretNotFirst, "^mlx5_1:1", Some("mlx5_1:1".into()))]);
    assert_eq!(kinds("all,mlx5_0:1"), [(ListErrorKind::AllNotAlone, "all", None)]);
    assert_eq!(kinds("mlx5_0:1,mlx5_0:1"), [(ListErrorKind::Duplicate, "mlx5_0:1", Some(String::new()))]);
    assert_eq!(kinds(""), [(ListErrorKind::Empty, "", None)]);
    assert_eq!(kinds("'mlx5_0:1'"), [(ListErrorKind::Quote, "'mlx5_0:1'", Some("mlx5_0:1".into()))]);
}

proptest::proptest! {
    #[test]
    fn ranges_lie_on_characters(value in "[\\^mlx5_0:,\\[\\]\\-* 'é]{0,16}") {
        let parsed = NetDevices::parse(&value);
        for device in parsed.devices() {
            assert_eq!(&value[device.item.range.clone()], device.item.text);
        }
        for error in parsed.errors() {
            assert!(value.get(error.range).is_some());
        }
    }
}
