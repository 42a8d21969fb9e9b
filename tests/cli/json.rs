//! `--json` of the commands that act, of `hosts`, `autostart status` and `config check`, and `list --format`.

use serde_json::{Value, json};

use crate::support::{Finished, Lab, PATIENCE, Process};

#[track_caller]
fn parsed(said: &Finished) -> Value {
    assert_eq!(said.stderr, "", "{said:?}");
    let json: Value = serde_json::from_str(&said.stdout).expect(&said.stdout);
    assert_eq!(json["schema"], 1, "{json:#}");
    json
}

/// Target, path and outcome of each result.
#[track_caller]
fn results(said: &Finished) -> Vec<[Value; 3]> {
    let json = parsed(said);
    let results = json["results"].as_array().unwrap().iter();
    let row = |result: &Value| {
        let message = result["message"].as_str().unwrap();
        assert!(!message.is_empty() && !message.contains('\n'), "{result:#}");
        ["target", "path", "outcome"].map(|field| result[field].clone())
    };
    results.map(row).collect()
}

#[test]
fn actions_print_one_result_for_each_target() {
    let lab = Lab::new();
    let web = lab.control_path("web");
    let path = web.to_str().unwrap();
    let opened = lab.muxtray(["open", "--batch", "--json", "web"]).expect(0);
    assert_eq!(
        results(&opened),
        [[json!("web"), json!(path), json!("done")]]
    );
    let again = lab.muxtray(["open", "--json", "web"]).expect(0);
    assert_eq!(
        results(&again),
        [[json!("web"), json!(path), json!("unchanged")]]
    );

    let checked = lab
        .muxtray(["check", "--json", "web", path, "nowhere"])
        .expect(1);
    let expected = [
        [json!("web"), json!(path), json!("done")],
        [json!(path), json!(path), json!("done")],
        [json!("nowhere"), Value::Null, json!("refused")],
    ];
    assert_eq!(results(&checked), expected);
    let all = lab.muxtray(["check", "--json"]).expect(0);
    assert_eq!(results(&all), [[json!("web"), json!(path), json!("done")]]);
    let refused = lab.muxtray(["clean", "--json", "web"]).expect(1);
    assert_eq!(
        results(&refused),
        [[json!("web"), json!(path), json!("refused")]]
    );

    let exited = lab.muxtray(["exit", "--json", "web"]).expect(0);
    assert_eq!(
        results(&exited),
        [[json!("web"), json!(path), json!("done")]]
    );
    lab.dead_socket(&web);
    let cleaned = lab.muxtray(["clean", "--json"]).expect(0);
    assert_eq!(
        results(&cleaned),
        [[json!(path), json!(path), json!("done")]]
    );
    for nothing in [
        &["clean", "--json"][..],
        &["check", "--json"],
        &["exit", "--all", "--json"],
    ] {
        assert!(results(&lab.muxtray(nothing).expect(0)).is_empty());
    }
}

#[test]
fn failed_start_is_a_result_with_a_remedy() {
    let lab = Lab::new();
    lab.configure("Host web\n    Port 1\n");
    let said = lab.muxtray(["open", "--batch", "--json", "web"]).expect(1);
    let json = parsed(&said);
    assert_eq!(json["results"][0]["outcome"], "failed", "{json:#}");
    assert!(json["results"][0]["remedy"].is_string(), "{json:#}");
    let said = lab.muxtray(["open", "--json", "/some/path"]).expect(2);
    assert_eq!(
        results(&said),
        [[json!("/some/path"), Value::Null, json!("refused")]]
    );
}

#[test]
fn commands_for_one_host_print_a_refusal_as_a_result() {
    let lab = Lab::new();
    lab.dead_socket(&lab.control_path("web"));
    lab.write("s/build-22", "");
    let stale = lab.control_path("web");
    let stale = stale.to_str().unwrap();
    for (arguments, status, path) in [
        (&["forward", "nowhere/"][..], 1, Value::Null),
        (&["forward", "web"], 1, json!(stale)),
        (&["forward", "web", "--cancel", "-L", "80"], 1, json!(stale)),
        (&["forward", "web", "-L", "80:db"], 2, Value::Null),
        (&["forward", "/no/path", "-D", "1"], 1, Value::Null),
        (&["test", "/no/path"], 2, Value::Null),
        (&["test", "bad host"], 2, Value::Null),
    ] {
        let said = lab
            .muxtray(arguments.iter().chain(&["--json"]))
            .expect(status);
        assert_eq!(
            results(&said),
            [[json!(arguments[1]), path, json!("refused")]]
        );
    }
    // The text names the state and the remedy.
    let said = lab.muxtray(["forward", "web"]).expect(1);
    assert!(
        said.stdout.contains("stale") && said.stdout.contains("muxtray clean "),
        "{said:?}"
    );
}

#[test]
fn reasons_for_incomplete_results_are_findings() {
    let lab = Lab::new();
    for is_missing in [false, true] {
        if is_missing {
            std::fs::remove_file(lab.path("ssh_config")).unwrap();
        } else {
            lab.write("ssh_config", "Foo bar\n");
        }
        for (arguments, status) in [
            (&["list"][..], 1),
            (&["hosts"], 3),
            (&["check"], 1),
            (&["clean"], 3),
            (&["exit", "--all"], 3),
            (&["open", "--all-stranded"], 3),
        ] {
            let said = lab.muxtray(arguments.iter().chain(&["--json"]));
            let json = parsed(&said.expect(status));
            assert_eq!(
                json["findings"][0]["id"], "ssh-config-invalid",
                "{arguments:?}"
            );
            let said = lab.muxtray(arguments).expect(status);
            assert!(said.stdout.contains('\u{2192}'), "{said:?}");
        }
    }
}

/// The settings could name paths to leave alone.
#[test]
fn invalid_settings_forbid_actions_on_all_sockets() {
    let lab = Lab::new();
    let master = lab.master("web");
    let stale = lab.control_path("db");
    lab.dead_socket(&stale);
    lab.write_muxtray_config("ignored_paths = \"\n");
    for arguments in [
        &["exit", "--all"][..],
        &["clean"],
        &["clean", "--dry-run"],
        &["open", "--all-stranded"],
    ] {
        let said = lab.muxtray(arguments).expect(2);
        assert!(said.stderr.contains("config edit"), "{said:?}");
        let said = lab.muxtray(arguments.iter().chain(&["--json"])).expect(2);
        assert_eq!(parsed(&said)["findings"][0]["id"], "config-invalid");
    }
    assert!(master.path().exists() && stale.exists());
    lab.muxtray(["clean", "db"]).expect(0);
    lab.muxtray(["exit", "web"]).expect(0);
}

#[test]
fn fixes_are_results_beside_the_report() {
    let lab = Lab::new();
    let stale = lab.control_path("web");
    lab.dead_socket(&stale);
    let said = lab.muxtray(["doctor", "--fix", "--json"]).expect(0);
    let json = parsed(&said);
    assert_eq!(json["results"][0]["target"], json!(stale));
    assert_eq!(json["results"][0]["outcome"], "done");
    assert_eq!(json["sockets"], json!([]));
    let again = parsed(&lab.muxtray(["doctor", "--fix", "--json"]).expect(0));
    assert_eq!(again["results"], json!([]));
    let without = parsed(&lab.muxtray(["doctor", "--json"]).expect(0));
    assert!(without.get("results").is_none());
}

/// The server's key is unknown to `web`, so ssh would ask. ssh does not pass BatchMode to the ssh of a ProxyJump.
#[test]
fn batch_and_test_ask_nobody() {
    let lab = Lab::new();
    lab.configure(
        "Host web\n    StrictHostKeyChecking ask\n    UserKnownHostsFile /dev/null\n\
         Host db build\n    ProxyJump web\nHost build\n    ControlMaster ask\n",
    );
    let askpass = lab.script("askpass", "touch asked; echo yes");
    let key = "Host key verification failed";
    let could = "with ControlMaster ask, its ProxyJump or ProxyCommand could ask a person";
    for (words, expected) in [
        (&["open", "--batch", "web"][..], key),
        (&["open", "--batch", "db"], key),
        (&["open", "--batch", "build"], could),
        (&["test", "web"], key),
        (&["test", "db"], key),
        (&["test", "build"], key),
    ] {
        let mut command = lab.muxtray_command(words);
        command.env("DISPLAY", ":none").env("SSH_ASKPASS", &askpass);
        let said = Process::run(command, PATIENCE).expect(1);
        assert!(said.stdout.contains(expected), "{words:?}: {said:?}");
        assert!(!lab.path("asked").exists(), "{words:?}: {said:?}");
    }
}

#[test]
fn hosts_lists_every_host_with_its_master() {
    let lab = Lab::new();
    lab.configure(&format!(
        "Host web\n    ControlMaster auto\n    ControlPersist 600\nHost db\n    ProxyJump web\nHost plain\n    \
         ControlPath none\nHost loose*\nHost *\n    ControlPath {}/%n\n",
        lab.path("s").display()
    ));
    lab.muxtray(["open", "web"]).expect(0);
    let json = parsed(&lab.muxtray(["hosts", "--json"]).expect(0));
    let hosts = json["hosts"].as_array().unwrap();
    let row = |host: &Value| {
        ["host", "via", "control_master", "control_persist", "state"]
            .map(|field| host[field].clone())
    };
    let rows: Vec<_> = hosts.iter().map(row).collect();
    let expected = [
        [
            json!("web"),
            Value::Null,
            json!("auto"),
            json!("600"),
            json!("running"),
        ],
        [
            json!("db"),
            json!("web"),
            json!("no"),
            json!("no"),
            Value::Null,
        ],
        [
            json!("plain"),
            Value::Null,
            json!("no"),
            json!("no"),
            Value::Null,
        ],
    ];
    for expected in expected {
        assert!(rows.contains(&expected), "{rows:#?}");
    }
    assert!(rows.iter().all(|row| row[0] != "loose*"), "{rows:#?}");
    let web = hosts.iter().find(|host| host["host"] == "web").unwrap();
    assert_eq!(web["control_path"], json!(lab.path("s/web")));
    assert_eq!(web["findings"][0]["id"], "no-keepalive");
    let plain = hosts.iter().find(|host| host["host"] == "plain").unwrap();
    assert_eq!(plain["control_path"], Value::Null);
    let table = lab.muxtray(["hosts"]).expect(0).stdout;
    assert!(
        table.contains("web") && table.contains("auto, 10m"),
        "{table}"
    );
    assert!(table.contains(" via web "), "{table}");
}

#[test]
fn bars_get_one_line() {
    let lab = Lab::new();
    let format = |format: &str| lab.muxtray(["list", "--format", format]).expect(0).stdout;
    assert_eq!(
        format("{masters}{running}{stale} {class} {{}}"),
        "000 none {}\n"
    );
    let waybar: Value = serde_json::from_str(&format("waybar")).unwrap();
    assert_eq!(
        [&waybar["text"], &waybar["class"], &waybar["alt"]],
        ["", "none", "none"]
    );
    lab.master("web").kill();
    let _db = lab.master("db");
    assert_eq!(
        format("{masters} {running} {stale} {problems} {class}"),
        "1 1 1 1 attention\n"
    );
    let waybar: Value = serde_json::from_str(format("waybar").trim_end_matches('\n')).unwrap();
    assert_eq!(waybar["text"], "1 !1");
    assert!(
        waybar["tooltip"].as_str().unwrap().contains("web"),
        "{waybar}"
    );
    assert_eq!(format("json").parse::<Value>().unwrap()["schema"], 1);
    // An error is an error for the table, while the bar shows its line.
    lab.write("s/build-22", "");
    lab.muxtray(["list"]).expect(1);
    assert_eq!(format("{not-a-socket}"), "1\n");
    for wrong in ["{nothing}", "{", "plain"] {
        let said = lab.muxtray(["list", "--format", wrong]).expect(2);
        assert!(!said.stderr.is_empty());
    }
}

#[test]
fn states_of_files_are_json() {
    let lab = Lab::new();
    let status = parsed(&lab.muxtray(["autostart", "status", "--json"]).expect(1));
    assert_eq!(status["enabled"], false);
    lab.muxtray(["autostart", "enable"]).expect(0);
    let status = parsed(&lab.muxtray(["autostart", "status", "--json"]).expect(0));
    assert_eq!(status["enabled"], true);
    assert_eq!(status["file"]["inactive"], Value::Null);
    let checked = parsed(&lab.muxtray(["config", "check", "--json"]).expect(0));
    assert_eq!([&checked["exists"], &checked["valid"]], [true, true]);
    lab.write("config/muxtray/config.toml", "interval_secs = 1.5\n");
    let checked = parsed(&lab.muxtray(["config", "check", "--json"]).expect(2));
    assert_eq!(checked["valid"], false);
    assert_eq!(checked["findings"][0]["id"], "config-invalid");
    let missing = ["--config", "/no/file", "config", "check"];
    lab.muxtray(missing).expect(2);
    let checked = parsed(&lab.muxtray(missing.iter().chain(&["--json"])).expect(2));
    assert_eq!([&checked["exists"], &checked["valid"]], [false, false]);
    let entry = "config/autostart/io.github.muxtray.Muxtray.desktop";
    lab.muxtray(["autostart", "disable"]).expect(0);
    std::fs::remove_file(lab.path(entry)).unwrap();
    lab.make_directory(entry);
    let status = parsed(&lab.muxtray(["autostart", "status", "--json"]).expect(2));
    assert_eq!(status["enabled"], Value::Null);
    assert!(status["error"].is_string(), "{status:#}");
}
