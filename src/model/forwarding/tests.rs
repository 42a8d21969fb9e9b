use super::*;

fn parse(text: &str) -> Option<Forwarding> {
    let (option, argument) = text.split_once(' ').unwrap();
    let kind = ForwardingKind::of_option(option).unwrap();
    let service = |name: &str| (name == "http").then_some(80);
    Forwarding::parse(kind, argument.as_ref(), &service)
}

#[test]
fn arguments_as_ssh_parses_them() {
    // The second column is what ssh -G prints; tests/cli/forward.rs compares both with a real ssh.
    for (text, resolved) in [
        ("-L 5432:db:80", Some("5432 [db]:80")),
        ("-L  5432:db:http", Some("5432 [db]:80")),
        ("-L *:1:h:2", Some("[*]:1 [h]:2")),
        ("-L :3:h:4", Some("[]:3 [h]:4")),
        ("-L [::1]:5:[fe80::2]:6", Some("[::1]:5 [fe80::2]:6")),
        ("-L localhost:http:h:7", Some("[localhost]:80 [h]:7")),
        ("-L /tmp/a b:h:7", Some("/tmp/a b [h]:7")),
        ("-L /tmp/x:/tmp/y", Some("/tmp/x /tmp/y")),
        ("-L /tmp/x y:/tmp/z", Some("/tmp/x y /tmp/z")),
        ("-L 8:/run/y", Some("8 /run/y")),
        ("-L ::1:8:/run/y", None),
        ("-L 127.0.0.1:8:/run/y", Some("[127.0.0.1]:8 /run/y")),
        (r"-L /tmp/a\:b:h:7", Some("/tmp/a:b [h]:7")),
        ("-L [/tmp/a:b]:h:7", Some("/tmp/a:b [h]:7")),
        ("-D 1080", Some("1080")),
        ("-D [::1]:1081", Some("[::1]:1081")),
        ("-D *:1081", Some("[*]:1081")),
        ("-D 0", None),
        ("-L 0:h:9", None),
        ("-L 1:h:0", None),
        ("-L 65536:h:1", None),
        ("-L 1:h:no-service", None),
        ("-L 5432", None),
        ("-L 5432:db", None),
        ("-L 5432:db:", None),
        ("-L 5432:db:80:81:82", None),
        ("-L [::1:5:h:6", None),
        ("-L [::1]5:h:6", None),
        (r"-L 5432:db:80\", None),
        ("-L 1:${HOST}:2", None),
        ("-D 1:2:3", None),
    ] {
        let parsed = parse(text);
        assert_eq!(parsed.is_some(), resolved.is_some(), "{text}: {parsed:?}");
        if let (Some(parsed), Some(resolved)) = (parsed, resolved) {
            let again = Forwarding::parse_resolved(parsed.kind, resolved);
            assert_eq!(again.as_ref(), Some(&parsed), "{text}");
            let stored = String::from(parsed.clone());
            assert_eq!(Forwarding::try_from(stored), Ok(parsed), "{text}");
        }
    }
}

#[test]
fn remote_forwarding_needs_neither_port_nor_target() {
    for (text, shown) in [
        ("-R 0:h:9", Some("-R 0:h:9")),
        ("-R 9000", Some("-R 9000")),
        ("-R *:9000", Some("-R '*:9000'")),
        ("-R /run/x:h:9", Some("-R /run/x:h:9")),
        ("-R 9000:/run/x", Some("-R 9000:/run/x")),
        ("-R 9000:h", None),
    ] {
        let parsed = parse(text).map(|parsed| parsed.shell_words());
        assert_eq!(parsed.as_deref(), shown, "{text}");
    }
}

#[test]
fn paths_are_parsed_again_from_their_argument() {
    for path in ["/a b", "/a:b", r"/a\b", "[x]/y", " /a", "/a\u{1b}\n"] {
        let forwarding = Forwarding {
            kind: ForwardingKind::Local,
            listen: End::Path(path.into()),
            target: Some(End::Path(path.into())),
        };
        let argument = forwarding.argument();
        let again = Forwarding::parse(forwarding.kind, &argument, &|_| None);
        assert_eq!(again, Some(forwarding), "{argument:?}");
    }
}

#[test]
fn addresses_that_a_forwarding_listens_on() {
    let (loopback, any) = (["127.0.0.1:5", "[::1]:5"], ["0.0.0.0:5", "[::]:5"]);
    let other = ["10.0.0.1:5"];
    for (text, gateway_ports, on_loopback, on_any, on_other) in [
        ("-L 5:h:1", false, Some(Fit::Address), None, None),
        ("-L 5:h:1", true, None, Some(Fit::Address), None),
        ("-L *:5:h:1", false, None, Some(Fit::Address), None),
        ("-L :5:h:1", false, None, Some(Fit::Address), None),
        ("-L localhost:5:h:1", true, Some(Fit::Address), None, None),
        ("-L 10.0.0.1:5:h:1", true, None, None, Some(Fit::Address)),
        ("-L here:5:h:1", false, None, None, Some(Fit::Name)),
        ("-D 5", false, Some(Fit::Address), None, None),
        ("-L 6:h:1", false, None, None, None),
        ("-L /s:h:1", false, None, None, None),
    ] {
        let forwarding = parse(text).unwrap();
        let fits = |address: &str| forwarding.fits(address.parse().unwrap(), gateway_ports);
        for (addresses, expected) in [
            (&loopback[..], on_loopback),
            (&any, on_any),
            (&other, on_other),
        ] {
            for address in addresses {
                assert_eq!(fits(address), expected, "{text} {address}");
            }
        }
    }
    let one = parse("-L [::1]:5:h:1").unwrap();
    let fits = |address: &str| one.fits(address.parse().unwrap(), false).is_some();
    assert_eq!(["[::1]:5", "127.0.0.1:5"].map(fits), [true, false]);
}
