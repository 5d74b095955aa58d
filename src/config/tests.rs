use super::*;

const FILE: &str = r#"
default-host = "box"
default-agent = "claude"

[host.box]
destination = "dev@203.0.113.7"
agent = "mine"

[host.far]
destination = "ssh://dev@[fd00::1]:2222"
workspace = "/srv/work/"
transport = "ssh"
forward-agent = true

[sync]
mode = "one-way-safe"
ignore = ["dist", "target"]
gitignore = true
file-mode = "640"

[agent.mine]
command = "mine --now"

[agent.codex]
command = "codex --full-auto"
"#;

const PATH: &str = "/home/ann/.config/sinc/config.toml";

fn environment(more: &[(&str, &str)]) -> Environment {
    Environment::from_map([("HOME", "/home/ann")].iter().chain(more).copied()).unwrap()
}

fn project(text: &str) -> ProjectFile {
    ProjectFile::parse(Path::new("/p/.sinc.toml"), text).unwrap()
}

fn resolve(
    text: &str,
    env: &[(&str, &str)],
    flags: &Flags,
    project: &ProjectFile,
) -> Result<Config, ConfigError> {
    let config = Config::resolve(Path::new(PATH), Some(text), &environment(env), flags)?;
    Ok(config.with_project(project))
}

fn config(text: &str) -> Config {
    resolve(text, &[], &Flags::default(), &ProjectFile::default()).unwrap()
}

fn error(text: &str) -> String {
    resolve(text, &[], &Flags::default(), &ProjectFile::default()).unwrap_err().to_string()
}

fn listing(config: &Config) -> String {
    config
        .entries()
        .iter()
        .map(|entry| format!("{entry}  # {}\n", entry.origin))
        .collect::<String>()
        .replace(PATH, "FILE")
}

#[test]
fn every_value_says_where_it_comes_from() {
    insta::assert_snapshot!(listing(&config("")), @r#"
    default-agent = "opencode"  # default
    notify = true  # default
    sync.mode = "two-way-safe"  # default
    sync.ignore = []  # default
    sync.gitignore = false  # default
    sync.file-mode = "0644"  # default
    sync.directory-mode = "0755"  # default
    sync.link = true  # default
    sync.git = true  # default
    backups.days = 30  # default
    backups.megabytes = 1024  # default
    agent.claude.command = "claude"  # default
    agent.codex.command = "codex"  # default
    agent.gemini.command = "gemini"  # default
    agent.opencode.command = "opencode"  # default
    "#);
    let flags = Flags { mode: Some("two-way-resolved".to_owned()), ..Flags::default() };
    let project = project("default-agent = \"gemini\"\n[sync]\nignore = [\"build\"]\ngitignore = false\n");
    let all = resolve(FILE, &[("SINC_TRANSPORT", "et"), ("SINC_HOST", "far")], &flags, &project).unwrap();
    insta::assert_snapshot!(listing(&all), @r#"
    default-host = "far"  # SINC_HOST
    default-agent = "gemini"  # /p/.sinc.toml, line 1
    notify = true  # default
    host.box.destination = "dev@203.0.113.7"  # FILE, line 6
    host.box.workspace = "~/workspace"  # default
    host.box.agent = "mine"  # FILE, line 7
    host.box.transport = "et"  # SINC_TRANSPORT
    host.box.forward-agent = false  # default
    host.far.destination = "ssh://dev@[fd00::1]:2222"  # FILE, line 10
    host.far.workspace = "/srv/work"  # FILE, line 11
    host.far.transport = "et"  # SINC_TRANSPORT
    host.far.forward-agent = true  # FILE, line 13
    sync.mode = "two-way-resolved"  # --mode
    sync.ignore[0] = "dist"  # FILE, line 17
    sync.ignore[1] = "target"  # FILE, line 17
    sync.ignore[2] = "build"  # /p/.sinc.toml, line 3
    sync.gitignore = false  # /p/.sinc.toml, line 4
    sync.file-mode = "0640"  # FILE, line 19
    sync.directory-mode = "0755"  # default
    sync.link = true  # default
    sync.git = true  # default
    backups.days = 30  # default
    backups.megabytes = 1024  # default
    agent.claude.command = "claude"  # default
    agent.codex.command = "codex --full-auto"  # FILE, line 25
    agent.gemini.command = "gemini"  # default
    agent.mine.command = "mine --now"  # FILE, line 22
    agent.opencode.command = "opencode"  # default
    "#);
}

#[test]
fn entries_as_json() {
    let entries =
        resolve(FILE, &[("SINC_HOST", "far")], &Flags::default(), &ProjectFile::default()).unwrap().entries();
    let json = serde_json::to_string(&entries[..2]).unwrap().replace(PATH, "FILE");
    insta::assert_snapshot!(json, @r#"[{"key":"default-host","value":"far","origin":{"from":"variable","name":"SINC_HOST"}},{"key":"default-agent","value":"claude","origin":{"from":"file","path":"FILE","line":3}}]"#);
}

#[test]
fn later_layers_win() {
    let mode = |env: &[(&str, &str)], flag: Option<&str>| {
        let flags = Flags { mode: flag.map(str::to_owned), ..Flags::default() };
        resolve(FILE, env, &flags, &ProjectFile::default()).unwrap().sync.mode
    };
    assert_eq!(config("").sync.mode, Value::default_of(Mode::TwoWaySafe));
    assert_eq!(mode(&[], None).value, Mode::OneWaySafe);
    assert_eq!(mode(&[], None).origin, Origin::File { path: PathBuf::from(PATH), line: 16 });
    let env = [("SINC_MODE", "one-way-replica")];
    assert_eq!(mode(&env, None), Value { value: Mode::OneWayReplica, origin: Origin::Env("SINC_MODE") });
    let flag = Some("two-way-safe");
    assert_eq!(mode(&env, flag), Value { value: Mode::TwoWaySafe, origin: Origin::Flag("--mode") });
}

#[test]
fn hosts_are_chosen() {
    let config = config(FILE);
    let name = |wanted| config.host(wanted).unwrap().name;
    assert_eq!(name(None), "box");
    assert_eq!(name(Some("far")), "far");
    let far = config.host(Some("far")).unwrap();
    assert_eq!((far.workspace.value.as_str(), far.forward_agent.value), ("/srv/work", true));
    assert_eq!(far.destination.value.port(), Some(2222));
    let free = config.host(Some("ann@elsewhere")).unwrap();
    assert_eq!((free.name.as_str(), free.configured), ("ann@elsewhere", false));
    assert_eq!(free.workspace.value.as_str(), "~/workspace");

    let by_variable =
        resolve(FILE, &[("SINC_HOST", "far")], &Flags::default(), &ProjectFile::default()).unwrap();
    assert_eq!(by_variable.host(None).unwrap().name, "far");
    let flags = Flags { host: Some("ssh://x:22".to_owned()), ..Flags::default() };
    let by_flag = resolve(FILE, &[("SINC_HOST", "far")], &flags, &ProjectFile::default()).unwrap();
    assert_eq!(by_flag.host(None).unwrap().destination.origin, Origin::Flag("--host"));
}

#[test]
fn without_any_configuration_a_destination_is_enough() {
    let flags = Flags { host: Some("dev@box".to_owned()), ..Flags::default() };
    let dir = tempfile::tempdir().unwrap();
    let env = Environment::from_map([("HOME", dir.path())]).unwrap();
    let config = Config::load(&env, &flags).unwrap();
    assert!(!config.file_exists);
    assert_eq!(config.host(None).unwrap().destination.value.target(), "dev@box");
    let config = Config::load(&env, &Flags::default()).unwrap();
    assert_eq!(config.host(None), Err(ChoiceError::NoHost));
}

#[test]
fn hosts_that_cannot_be_chosen() {
    let one = config("[host.only]\ndestination = \"x\"");
    assert_eq!(one.host(None).unwrap().name, "only");
    let two = config("[host.a]\ndestination = \"x\"\n[host.b]\ndestination = \"y\"");
    let error = two.host(None).unwrap_err();
    assert_eq!(error.to_string(), "no host was named, and the configuration has several: a, b");
    let error = config(FILE).host(Some("-oProxyCommand=x")).unwrap_err().to_string();
    assert!(error.contains("a host cannot begin with `-`"), "{error}");
    let error = config(FILE).host(Some("dev@box:22")).unwrap_err().to_string();
    assert!(error.contains("write `ssh://dev@box:22`"), "{error}");
}

#[test]
fn a_default_host_may_be_a_destination_but_no_misspelt_name() {
    let found = error("default-host = \"bxo\"\n[host.box]\ndestination = \"x\"");
    assert!(found.starts_with(&format!("{PATH}:1:16: there is no `[host.bxo]` in this file")), "{found}");
    assert!(found.ends_with("did you mean `box`?"), "{found}");
    assert_eq!(config("default-host = \"ann@x\"").host(None).unwrap().destination.value.target(), "ann@x");
    assert!(error("default-host = \"-x\"").contains("cannot begin with `-`"));
}

#[test]
fn agents_are_chosen() {
    let chosen = |host: &str, env: &[(&str, &str)], flag: Option<&str>, project_text: &str| {
        let flags = Flags { agent: flag.map(str::to_owned), ..Flags::default() };
        let config = resolve(FILE, env, &flags, &project(project_text)).unwrap();
        config.agent(&config.host(Some(host)).unwrap(), None).unwrap().name
    };
    let env = [("SINC_AGENT", "codex")];
    let of_project = "default-agent = \"gemini\"";
    assert_eq!(chosen("box", &env, Some("opencode"), of_project), "opencode");
    assert_eq!(chosen("box", &env, None, of_project), "codex");
    assert_eq!(chosen("box", &[], None, of_project), "gemini");
    assert_eq!(chosen("box", &[], None, ""), "mine");
    assert_eq!(chosen("far", &[], None, ""), "claude");
    let plain = config("");
    let host = plain.host(Some("x")).unwrap();
    assert_eq!(plain.agent(&host, None).unwrap().name, "opencode");
    assert_eq!(plain.agent(&host, Some("claude")).unwrap().name, "claude");
}

#[test]
fn agents_have_commands() {
    let config = config(FILE);
    let host = config.host(None).unwrap();
    let mine = config.agent(&host, None).unwrap();
    assert_eq!((mine.command.as_str(), mine.install, mine.custom), ("mine --now", None, true));
    let codex = config.agent(&host, Some("codex")).unwrap();
    assert_eq!((codex.command.as_str(), codex.custom), ("codex --full-auto", true));
    assert!(codex.install.is_some());
    for agent in BUILT_IN_AGENTS.iter().filter(|agent| agent.name != "codex") {
        let found = config.agent(&host, Some(agent.name)).unwrap();
        assert_eq!(
            (found.command.as_str(), found.install, found.custom),
            (agent.name, Some(agent.install), false)
        );
    }
}

#[test]
fn unknown_agents_are_named_with_the_nearest() {
    let config = config(FILE);
    let error = config.agent(&config.host(None).unwrap(), Some("cladue")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown agent `cladue` (--agent); known are claude, codex, gemini, mine, opencode\ndid you mean `claude`?"
    );
    for text in ["default-agent = \"cladue\"", "[host.x]\ndestination = \"x\"\nagent = \"cladue\""] {
        let found = self::error(text);
        assert!(
            found.contains("unknown agent `cladue`; known are") && found.ends_with("did you mean `claude`?"),
            "{found}"
        );
    }
}

#[test]
fn what_is_missing_in_the_file_has_a_place() {
    let found = error("[host.box]\nagent = \"claude\"");
    assert!(found.starts_with(&format!("{PATH}:1:7: the host `box` has no `destination`")), "{found}");
    let found = error("[agent.mine]\n");
    assert!(found.starts_with(&format!("{PATH}:1:8: the agent `mine` has no `command`")), "{found}");
    assert!(config("[agent.claude]\n").agents.contains_key("claude"));
}

#[test]
fn mistakes_in_variables_and_flags_name_them() {
    let flags = Flags { mode: Some("mirror".to_owned()), ..Flags::default() };
    let error = resolve("", &[], &flags, &ProjectFile::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "--mode: unknown value `mirror`, expected one of `two-way-safe`, `two-way-resolved`, `one-way-safe`, \
         `one-way-replica`, `one-way-safe-from-host`, `one-way-replica-from-host`, `none`"
    );
    let error =
        resolve("", &[("SINC_TRANSPORT", "shh")], &Flags::default(), &ProjectFile::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "in the variable SINC_TRANSPORT: unknown value `shh`, expected one of `auto`, `ssh`, `et`\ndid you mean `ssh`?"
    );
    let error =
        resolve("", &[("SINC_AGENT", "a b")], &Flags::default(), &ProjectFile::default()).unwrap_err();
    assert_eq!(error.place, Place::Env("SINC_AGENT"));
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.toml");
    let named = Flags { config: Some(path.clone()), ..Flags::default() };
    let load = Config::load;
    let home = environment(&[]);
    let by_variable = environment(&[("SINC_CONFIG", path.to_str().unwrap())]);
    let message = |result: Result<Config, ConfigError>| result.unwrap_err().message;
    assert_eq!(message(load(&home, &named)), "there is no such file, but --config names it");
    assert_eq!(
        message(load(&by_variable, &Flags::default())),
        "there is no such file, but SINC_CONFIG names it"
    );
    std::fs::write(&path, "default-host = \"a@b\"").unwrap();
    assert!(load(&home, &named).unwrap().file_exists);
    assert!(load(&by_variable, &Flags::default()).unwrap().file_exists);
    assert!(load(&home, &Flags { config: Some(dir.path().to_owned()), ..Flags::default() }).is_err());
}

#[test]
fn ignores_append_and_the_users_own_are_told_apart() {
    let config = resolve(FILE, &[], &Flags::default(), &project("[sync]\nignore = [\"build\"]")).unwrap();
    let all: Vec<&str> = config.sync.ignore.iter().map(|value| value.value.as_str()).collect();
    assert_eq!(all, ["dist", "target", "build"]);
    let own = config.own_ignores();
    assert_eq!(own.len(), 2);
    assert_eq!(own[1].source, Source::Config { path: PathBuf::from(PATH), line: 17 });
}

/// The documented reference.
const REFERENCE: &str = include_str!("../../docs/config.toml");

/// The reference with its commented keys and tables put in force.
fn whole_reference() -> String {
    let is_setting = |line: &str| {
        line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains([' ', '`']))
    };
    let uncommented = |line: &'static str| match line.strip_prefix("# ") {
        Some(setting) if is_setting(setting) => setting,
        _ => line,
    };
    REFERENCE.lines().map(uncommented).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_reference_changes_nothing() {
    let stripped = |config: &Config| -> Vec<(String, toml::Value)> {
        config.entries().into_iter().map(|entry| (entry.key, entry.value)).collect()
    };
    assert_eq!(stripped(&config(REFERENCE)), stripped(&config("")));
}

#[test]
fn the_reference_names_every_key_with_its_default() {
    let whole = whole_reference();
    let table: toml::Table = toml::from_str(&whole).unwrap();
    config(&whole);

    let mut written = Vec::new();
    for (key, value) in &table {
        match (key.as_str(), value) {
            ("host" | "agent" | "mirror", toml::Value::Table(names)) => {
                for (last, value) in names.values().filter_map(toml::Value::as_table).flatten() {
                    written.push((format!("{key}.NAME.{last}"), value));
                }
            }
            (_, toml::Value::Table(keys)) => {
                written.extend(keys.iter().map(|(last, value)| (format!("{key}.{last}"), value)));
            }
            _ => written.push((key.clone(), value)),
        }
    }
    let names = |names: &mut Vec<&str>| {
        names.sort_unstable();
        names.join(" ")
    };
    let documented = names(&mut written.iter().map(|(name, _)| name.as_str()).collect());
    assert_eq!(documented, names(&mut KEYS.iter().map(|key| key.name).collect()));
    for (name, value) in &written {
        let key = KEYS.iter().find(|key| key.name == name).unwrap();
        if let Some(default) = key.default {
            assert_eq!(value.to_string(), default, "{name}");
        }
    }
}

#[test]
fn the_list_of_keys_has_the_real_defaults() {
    let config = config("[host.NAME]\ndestination = \"x\"");
    let entries = config.entries();
    for key in KEYS {
        if let Some(default) = key.default {
            let entry =
                entries.iter().find(|entry| entry.key == key.name).unwrap_or_else(|| panic!("{}", key.name));
            assert_eq!(
                (entry.value.to_string().as_str(), &entry.origin),
                (default, &Origin::Default),
                "{}",
                key.name
            );
        }
    }
}

#[test]
fn the_reference_names_every_variable() {
    for name in VARIABLES.iter().filter(|name| name.starts_with("SINC_")) {
        assert!(REFERENCE.lines().any(|line| line.starts_with(&format!("#   {name} "))), "{name}");
    }
    let documented = REFERENCE.lines().filter(|line| line.starts_with("#   SINC_")).count();
    assert_eq!(documented, VARIABLES.iter().filter(|name| name.starts_with("SINC_")).count());
}
