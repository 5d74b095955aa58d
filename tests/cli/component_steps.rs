//! What the `shell` steps of component files do, run by a real sh for a user whose home directory has things of their own.

use std::path::Path;

use serde_json::Value;
use sinc::provision::catalog::Catalog;
use sinc::provision::component::{Kind, Step};
use sinc::provision::kinds::Shell;

use crate::support::e2e::have;
use crate::support::sandbox::{Run, Sandbox};
use crate::support::variable;

/// The `shell` step that says so.
fn step(component: &str, says: &str) -> Shell {
    let catalog = Catalog::load(None).unwrap();
    let steps = &catalog.get(component).unwrap().steps;
    let shells = steps.iter().filter_map(|step| match &step.kind {
        Kind::Shell(shell) => Some(shell.clone()),
        _ => None,
    });
    shells.into_iter().find(|shell| shell.says.starts_with(says)).unwrap_or_else(|| panic!("{component}"))
}

/// As the host runs it (`run_shell`).
#[track_caller]
fn run(sandbox: &Sandbox, text: &str) -> Run {
    let home = format!("SINC_HOME={}", sandbox.home().display());
    sandbox.run("env", &[&home, "sh", "-euc", text])
}

#[test]
fn a_last_line_without_an_end_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::at(dir.path());
    let bashrc = step("direnv", "the user's bash asks direnv");
    for (before, after) in
        [("alias mine=ls", "alias mine=ls\n"), ("alias mine=ls\n", "alias mine=ls\n"), ("", "")]
    {
        sandbox.write(".bashrc", before);
        run(&sandbox, &bashrc.apply).success();
        run(&sandbox, &bashrc.check).success();
        assert_eq!(
            sandbox.read(".bashrc"),
            format!("{after}eval \"$(direnv hook bash)\" # put here by sinc\n")
        );
        run(&sandbox, bashrc.undo.as_ref().unwrap()).success();
        assert_eq!(sandbox.read(".bashrc"), after);
    }
    // One that lies elsewhere stays there.
    let real = sandbox.write("dotfiles/bashrc", "alias mine=ls\n");
    std::fs::remove_file(sandbox.home().join(".bashrc")).unwrap();
    std::os::unix::fs::symlink(&real, sandbox.home().join(".bashrc")).unwrap();
    run(&sandbox, &bashrc.apply).success();
    run(&sandbox, bashrc.undo.as_ref().unwrap()).success();
    assert!(sandbox.home().join(".bashrc").is_symlink());
    assert_eq!(sandbox.read("dotfiles/bashrc"), "alias mine=ls\n");

    let locale = sandbox.write("locale", "LC_TIME=de_DE.UTF-8");
    let language = step("base", "the host's language");
    let here = |text: &str| text.replace("/etc/default/locale", locale.to_str().unwrap());
    run(&sandbox, &here(&language.apply)).success();
    assert_eq!(sandbox.read("locale"), "LC_TIME=de_DE.UTF-8\nLANG=C.UTF-8\n");
    run(&sandbox, &here(language.undo.as_ref().unwrap())).success();
    assert_eq!(sandbox.read("locale"), "LC_TIME=de_DE.UTF-8\n");
}

#[test]
fn an_agent_os_of_a_persons_own_stays_with_its_database() {
    if !have(&["git"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut sandbox = Sandbox::at(dir.path());
    let upstream = sandbox.project("upstream");
    let git = |dir: &Path, words: &[&str]| {
        let who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.com"];
        sandbox.finish(&sandbox.program("git", dir).args(who).args(words)).success().stdout.trim().to_owned()
    };
    sandbox.write(upstream.join("server.js"), "theirs\n");
    git(&upstream, &["init", "-q"]);
    git(&upstream, &["add", "."]);
    git(&upstream, &["commit", "-q", "-m", "one"]);
    let commit = git(&upstream, &["rev-parse", "--short=7", "HEAD"]);
    // Where its own installer puts it, with what a person has changed of it.
    let own = sandbox.home().join(".agent-os/repo");
    git(&sandbox.home(), &["clone", "-q", upstream.to_str().unwrap(), own.to_str().unwrap()]);
    sandbox.write(own.join("server.js"), "mine\n");
    sandbox.write(own.join("agent-os.db"), "sessions\n");
    sandbox.write_program("bin/npm", "#!/bin/sh\necho \"$*\" >>\"$HOME/npm\"\n");
    let path = format!("{}:{}", sandbox.home().join("bin").display(), variable("PATH").unwrap());
    sandbox.set("PATH", path);

    let built = step("agent-os", "Agent-OS at commit");
    let url = "https://github.com/saadnvd1/agent-os.git";
    let here = |text: &str| text.replace("2e3d01c", &commit).replace(url, upstream.to_str().unwrap());
    assert_ne!(run(&sandbox, &here(&built.check)).code, 0);
    for _ in 0..2 {
        run(&sandbox, &here(&built.apply)).success();
        run(&sandbox, &here(&built.check)).success();
    }
    assert_eq!(sandbox.read(".agent-os/sinc/server.js"), "theirs\n");
    run(&sandbox, &here(built.undo.as_ref().unwrap())).success();
    assert!(!sandbox.home().join(".agent-os/sinc").exists());
    assert_eq!(sandbox.read(".agent-os/repo/server.js"), "mine\n");
    assert_eq!(sandbox.read(".agent-os/repo/agent-os.db"), "sessions\n");
}

#[test]
fn the_address_that_this_login_comes_from_is_not_banned_by_what_was_logged_before() {
    const CLIENT: &str = r#"#!/bin/sh
cd "$HOME" && echo "$*" >>calls
[ -e runs ] || { : >runs && exit 255; }
case $* in
"status sshd")
  # What it had counted is banned only after a while.
  [ "$(grep -c ^status calls)" != 3 ] || cat late >>banned
  printf 'Status for the jail: sshd\n`- Actions\n   `- Banned IP list:\t%s\n' "$(tr '\n' ' ' <banned)"
  ;;
"set sshd addignoreip "*) echo "$4" >>ignored ;;
"set sshd unbanip "*) grep -vxF -e "$4" banned >left; mv left banned ;;
esac
"#;
    let dir = tempfile::tempdir().unwrap();
    let mut sandbox = Sandbox::at(dir.path());
    sandbox.write_program("bin/fail2ban-client", CLIENT);
    let path = format!("{}:{}", sandbox.home().join("bin").display(), variable("PATH").unwrap());
    sandbox.set("PATH", path);
    let alone = step("hardening", "fail2ban does not shut out");
    for (from, address) in [("203.0.113.7", "203.0.113.7"), ("fe80::1%eth0", "fe80::1"), ("", "")] {
        sandbox.set("SINC_FROM", from);
        // Others stay banned, also one whose address begins or ends so.
        let others = "2203.0.113.7\nfe80::1:2\n192.0.2.1\n";
        sandbox.write("banned", format!("{others}{address}\n"));
        sandbox.write("late", format!("{address}\n"));
        for file in ["runs", "ignored", "calls"] {
            let _ = std::fs::remove_file(sandbox.home().join(file));
        }
        // It does not answer at first.
        assert_eq!(run(&sandbox, &alone.check).code == 0, from.is_empty(), "{from}");
        assert_eq!(run(&sandbox, &alone.check).code == 0, from.is_empty(), "{from}");
        for file in ["runs", "calls"] {
            let _ = std::fs::remove_file(sandbox.home().join(file));
        }
        run(&sandbox, &alone.apply).success();
        run(&sandbox, &alone.check).success();
        assert_eq!(sandbox.home().join("calls").exists(), !from.is_empty());
        if !from.is_empty() {
            assert_eq!(sandbox.read("ignored"), format!("{address}\n"));
            assert_eq!(sandbox.read("banned"), others);
        }
    }
}

#[test]
fn mcp_servers_of_a_persons_own_stay() {
    let dir = tempfile::tempdir().unwrap();
    let mut sandbox = Sandbox::at(dir.path());
    // npm as it is, as far as this step uses it: what is global without a prefix is a person's.
    let npm = "#!/bin/sh\nto=$HOME/global\nfor word in \"$@\"; do\n  case $word in --prefix=*) to=${word#--prefix=} ;; esac\ndone\n\
        case $1 in\ninstall) ;;\n*) echo \"npm $*\" >&2; exit 1 ;;\nesac\n\
        for it in filesystem memory; do\n  mkdir -p \"$to/bin\" \"$to/lib/node_modules/@modelcontextprotocol/server-$it\"\n  \
        echo '  \"version\": \"2026.8.31\"' >\"$to/lib/node_modules/@modelcontextprotocol/server-$it/package.json\"\n  \
        printf '#!/bin/sh\\necho serverInfo\\n' >\"$to/bin/mcp-server-$it\"\n  chmod 755 \"$to/bin/mcp-server-$it\"\ndone\n";
    sandbox.write_program("bin/npm", npm);
    let path = format!("{}:{}", sandbox.home().join("bin").display(), variable("PATH").unwrap());
    sandbox.set("PATH", path);
    sandbox.write("global/bin/mcp-server-memory", "mine\n");
    let answer = step("mcp", "the MCP servers for files");
    let opt = sandbox.home().join("opt");
    let here = |text: &str| text.replace("/opt/", &format!("{}/", opt.display()));
    assert_ne!(run(&sandbox, &here(&answer.check)).code, 0);
    run(&sandbox, &here(&answer.apply)).success();
    run(&sandbox, &here(&answer.check)).success();
    run(&sandbox, &here(answer.undo.as_ref().unwrap())).success();
    assert!(!opt.join("sinc").exists());
    assert_eq!(sandbox.read("global/bin/mcp-server-memory"), "mine\n");
    // What an agent is told to start is what is put there.
    let catalog = Catalog::load(None).unwrap();
    let told = catalog.get("mcp").unwrap().steps.iter().filter_map(|step| match &step.kind {
        Kind::Edit(edit) => Some(serde_json::to_string(&edit.set).unwrap()),
        _ => None,
    });
    for told in told {
        assert!(told.contains("\"/opt/sinc/mcp-npm/bin/mcp-server-memory\""), "{told}");
    }
}

/// Of the files in ~/.config/opencode a list in one hides the same list in another; those of ~/.opencode are joined to them.
#[test]
fn no_list_of_a_persons_own_is_hidden_from_opencode() {
    let mut lists = 0;
    for component in Catalog::load(None).unwrap().all() {
        for step in &component.steps {
            let Kind::Edit(edit) = &step.kind else { continue };
            if edit.add.is_empty() && !edit.set.values().any(Value::is_array) {
                continue;
            }
            let place = edit.path.rsplit_once('/').unwrap().0;
            assert_ne!(place, "{home}/.config/opencode", "{}: {:?}", component.name, edit.add);
            lists += usize::from(place == "{home}/.opencode");
        }
    }
    assert!(lists >= 4, "only {lists}");
}

/// A service has no shell of a person's that would tell it.
#[test]
fn services_find_the_programs_that_the_look_at_the_host_finds() {
    let mut seen = 0;
    for component in Catalog::load(None).unwrap().all() {
        for step in &component.steps {
            let Kind::File(file) = &step.kind else { continue };
            let lines = file.content.as_deref().unwrap_or_default().lines();
            for path in lines.filter_map(|line| line.strip_prefix("Environment=PATH=")) {
                assert!(path.starts_with("%h/.opencode/bin:%h/.local/bin:"), "{}: {path}", component.name);
                seen += 1;
            }
        }
    }
    assert!(seen >= 3, "only {seen}");
}

#[test]
fn whatever_goes_over_the_network_has_a_time_limit() {
    let far = [
        "git clone",
        "git fetch",
        "npm ci",
        "npm install",
        "npm run build",
        "pip install",
        "opencode plugin",
    ];
    let mut seen = 0;
    for component in Catalog::load(None).unwrap().all() {
        for step in &component.steps {
            let Kind::Shell(shell) = &step.kind else { continue };
            for line in shell.apply.lines().filter(|line| !line.trim_start().starts_with('#')) {
                for command in far.iter().filter(|command| line.contains(*command)) {
                    let (before, _) = line.split_once(command).unwrap();
                    assert!(before.contains("timeout "), "{}: {line}", component.name);
                    seen += 1;
                }
            }
        }
    }
    assert!(seen >= 8, "only {seen}");
}

#[test]
fn lunaroute_leaves_the_addresses_alone_that_a_person_has_set() {
    let catalog = Catalog::load(None).unwrap();
    let steps = &catalog.get("lunaroute").unwrap().steps;
    // Which of the settings of this file has such a key.
    let check = |path: &str, key: &str| {
        let of_it = |step: &&Step| matches!(&step.kind, Kind::Edit(edit) if edit.path.ends_with(path) && edit.set.keys().any(|it| it.contains(key)));
        &steps.iter().find(of_it).unwrap().only_if.as_ref().unwrap().check
    };
    let (claude, opencode) = (".claude/settings.json", ".config/opencode/opencode.jsonc");
    for (path, text, holds) in [
        (claude, "", true),
        (
            claude,
            "{ \"env\": { \"ANTHROPIC_BASE_URL\": \"http://127.0.0.1:8081\", \"X\": \"https://y\" } }",
            true,
        ),
        (
            claude,
            "{ \"env\": {\n  \"X\": \"1\", \"ANTHROPIC_BASE_URL\":\n\"https://gateway.example.com\" } }",
            false,
        ),
        (
            opencode,
            "{ // mine\n  \"provider\": { \"local\": { \"options\": { \"baseURL\": \"http://127.0.0.1:11434\" } } }\n}",
            true,
        ),
        (
            opencode,
            "{\n\t\"provider\": {\n\t\t\"anthropic\": {\n\t\t\t\"options\": { \"baseURL\": \"http://127.0.0.1:8081/v1\" }\n\t\t},\n\t\t\"local\": { \"options\": { \"baseURL\": \"http://x\" } }\n\t}\n}",
            true,
        ),
        (
            opencode,
            "{ \"provider\": { \"anthropic\": { \"models\": { \"x\": { \"y\": {} } },\n\"options\": { \"baseURL\": \"{env:GATEWAY}\" } } } }",
            false,
        ),
        (
            ".config/opencode/opencode.json",
            "{ \"provider\": { \"anthropic\": { \"options\": { \"baseURL\" : \"https://gateway.example.com/v1\" } } } }",
            false,
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::at(dir.path());
        if !text.is_empty() {
            sandbox.write(path, text);
        }
        if path == claude {
            assert_eq!(run(&sandbox, check(claude, "ANTHROPIC")).code == 0, holds, "{path}: {text}");
            continue;
        }
        let [anthropic, openai] = ["anthropic", "openai"].map(|provider| check(opencode, provider));
        assert_eq!(run(&sandbox, anthropic).code == 0, holds, "{path}: {text}");
        // An address for the other one is none for this one.
        assert_eq!(run(&sandbox, openai).code, 0, "{path}: {text}");
        if !text.is_empty() {
            sandbox.write(path, text.replace("anthropic", "openai"));
        }
        assert_eq!(run(&sandbox, openai).code == 0, holds, "{path}: {text}");
        assert_eq!(run(&sandbox, anthropic).code, 0, "{path}: {text}");
    }
    // What only a person's own shells are told.
    let codex = ".codex/config.toml";
    for (file, text, ours) in [
        (".profile", "export NAME=https://gateway.example.com/v1\n", false),
        (".bash_profile", "[ -z \"$PS1\" ] || export NAME='https://gateway.example.com'", false),
        (".zshenv", "NAME=https://gateway.example.com # not http://127.0.0.1:8081\n", false),
        (".config/fish/config.fish", "set -gx NAME \"https://gateway.example.com\"\n", false),
        (".config/environment.d/a.conf", "NAME=https://gateway.example.com\n", false),
        ("etc/profile.d/company.sh", "export NAME=https://gateway.example.com\n", false),
        ("etc/environment", "NAME=\"https://gateway.example.com\"\n", false),
        (".bashrc", "# export NAME=https://gateway.example.com\n", true),
        (".zshrc", "export NAME=\"http://127.0.0.1:8081/v1\"\n", true),
        (".config/fish/config.fish", "set -gx NAME http://127.0.0.1:8081\n", true),
        (".config/environment.d/a.conf", "NAME=http://127.0.0.1:80810\n", false),
    ] {
        for (path, key, name) in [
            (claude, "ANTHROPIC", "ANTHROPIC_BASE_URL"),
            (opencode, "anthropic", "ANTHROPIC_BASE_URL"),
            (opencode, "openai", "OPENAI_BASE_URL"),
            (codex, "model_provider", "OPENAI_BASE_URL"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let mut sandbox = Sandbox::at(dir.path());
            sandbox.write_program("bin/codex", "#!/bin/sh\necho 'Logged in using an API key'\n");
            let bin = sandbox.home().join("bin");
            sandbox.set("PATH", format!("{}:{}", bin.display(), variable("PATH").unwrap()));
            let check = check(path, key).replace(" /etc/", &format!(" {}/etc/", sandbox.home().display()));
            run(&sandbox, &check).success();
            sandbox.write(file, text.replace("NAME", name));
            assert_eq!(run(&sandbox, &check).code == 0, ours, "{path}, {file}: {text}");
            std::fs::remove_file(sandbox.home().join(file)).unwrap();
            sandbox.set(name, "https://gateway.example.com");
            assert_ne!(run(&sandbox, &check).code, 0, "{path}");
        }
    }
}
