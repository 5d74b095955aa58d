//! What is to be done about one step: what it wants, and what is there.

use std::collections::BTreeMap;

use super::component::{Kind, Step};
use super::edit;
use super::facts::{Fact, FileFact, HostFacts, StepFact, UserFact};
use super::firewall;
use super::kinds::{Apt, Download, Edit, FileStep, Npm, Service, Shell, User};
use super::mirror::Mirrors;
use super::moves;
use super::plan::{Decision, Wishes, change, several};
use super::program::Call;
use super::sshd;
use super::tailnet;
use super::unedit;
use super::version;

/// What is to be done about one step. `noted` are the lines that the host has of its component.
pub(super) fn decide(
    step: &Step,
    fact: &StepFact,
    host: &HostFacts,
    wishes: &Wishes,
    noted: &[Vec<String>],
) -> Decision {
    let mut decision = compare(step, fact, host, wishes, noted);
    if let Decision::Change(change) = &mut decision
        && let Some(moved) = moves::of_step(step, noted, host)
    {
        change.what.push_str(&format!(" ({moved})"));
    }
    decision
}

fn compare(
    step: &Step,
    fact: &StepFact,
    host: &HostFacts,
    wishes: &Wishes,
    noted: &[Vec<String>],
) -> Decision {
    if let (Some(enough), Some(version)) = (&step.unless, &fact.enough)
        && version::at_least(version, &enough.at_least)
    {
        return Decision::Satisfied(format!("{} {version} is there", enough.command));
    }
    match (&step.kind, &fact.fact) {
        (Kind::Apt(apt), Fact::Apt(installed)) => packages(apt, installed, host, &wishes.mirrors),
        (Kind::Npm(npm), Fact::Npm { installed, runs }) => {
            npm_package(npm, installed.as_deref(), runs.as_deref(), wishes)
        }
        (Kind::Download(wanted), Fact::Download(sum)) => {
            download(wanted, sum.as_deref(), host, &wishes.mirrors)
        }
        (Kind::File(wanted), Fact::File(there)) => file(wanted, there, host, wishes),
        (Kind::Edit(wanted), Fact::Edit(there, content)) => {
            let wanted = Edit { gone: moves::gone(wanted, noted, host), ..wanted.clone() };
            edited(&wanted, there, content, host)
        }
        (Kind::Service(wanted), Fact::Service { enabled, active, ends }) => {
            service(wanted, enabled, active, *ends)
        }
        (Kind::User(wanted), Fact::User(there)) => user(wanted, there.as_ref(), host),
        (Kind::Ufw(wanted), Fact::Ufw { state, rules, open }) => {
            firewall::decide(wanted, *state, rules, *open, host)
        }
        (Kind::Sshd(wanted), Fact::Sshd { method, values }) => {
            sshd::decide(wanted, method.as_deref(), values, &host.login)
        }
        (Kind::Tailnet(wanted), Fact::Tailnet { state, name }) => {
            tailnet::decide(&wanted.key, state.as_deref(), name.as_deref(), host, wishes)
        }
        (Kind::Shell(shell), Fact::Shell(true)) => Decision::Satisfied(shell.says.clone()),
        (Kind::Shell(shell), Fact::Shell(false)) => {
            change(format!("make sure that {}", shell.says), shell_call(shell))
        }
        _ => Decision::Blocked("the host answered another question".to_owned()),
    }
}

pub(super) fn shell_call(shell: &Shell) -> Call {
    let as_user = if shell.as_user { "yes" } else { "no" };
    let undo = shell.undo.as_deref().unwrap_or_default();
    Call::new("shell_step", [as_user, &shell.apply, &shell.check, undo, &shell.says])
}

fn packages(
    apt: &Apt,
    installed: &BTreeMap<String, Option<String>>,
    host: &HostFacts,
    mirrors: &Mirrors,
) -> Decision {
    let missing: Vec<&str> = apt
        .packages
        .iter()
        .map(String::as_str)
        .filter(|package| !installed.get(*package).is_some_and(Option::is_some))
        .collect();
    if missing.is_empty() {
        let names: Vec<&str> = apt.packages.iter().map(String::as_str).collect();
        return Decision::Satisfied(format!("{} {} there", several(&names), are(names.len())));
    }
    let what = format!("install {}", several(&missing));
    let Some(repository) = &apt.repository else {
        return change(what, Call::new("apt_install", missing));
    };
    let source = match host.os.as_str() {
        "debian" => repository.debian.as_ref(),
        "ubuntu" => repository.ubuntu.as_ref(),
        _ => None,
    };
    match (source, &repository.ubuntu_ppa) {
        (Some(source), _) => {
            let at = |url: &str| mirrors.address(&host.expand(url));
            let (url, key) = (at(&source.url), at(&source.key));
            let words =
                [repository.name.clone(), url, host.expand(&source.suite), source.components.clone(), key];
            let words = words.into_iter();
            let call = Call::new("apt_install_from", words.chain(missing.iter().map(|&it| it.to_owned())));
            change(format!("{what} from {}", at(&source.url)), call)
        }
        (None, Some(ppa)) if host.os == "ubuntu" => {
            let words = std::iter::once(ppa.as_str()).chain(missing);
            change(format!("{what} from the PPA {ppa}"), Call::new("apt_install_ppa", words))
        }
        _ => Decision::Blocked(format!("{} has no repository for {}", repository.name, host.os_name)),
    }
}

fn npm_package(npm: &Npm, installed: Option<&str>, runs: Option<&str>, wishes: &Wishes) -> Decision {
    let Npm { package, version, command, .. } = npm;
    let is_other = |runs: &&str| {
        npm.below.as_ref().is_some_and(|below| version::at_least(runs, below))
            || npm.since.as_ref().is_some_and(|since| !version::at_least(runs, since))
    };
    if let Some(runs) = runs.filter(is_other) {
        return Decision::Blocked(format!(
            "{command} {runs} is there, which is another product than {command} {version}: remove it first"
        ));
    }
    let scripts = if npm.scripts { "yes" } else { "no" };
    let call = Call::new("npm_install", [package, version, scripts, command]);
    let Some(runs) = runs else {
        return change(format!("install {package} {version} with npm"), call);
    };
    let old = npm.at_least.as_ref().is_some_and(|least| !version::at_least(runs, least));
    let pinned = installed.is_some_and(|installed| !version::at_least(installed, version));
    if old || (wishes.upgrade && pinned) {
        return change(format!("install {package} {version} with npm ({runs} → {version})"), call);
    }
    let newer = if pinned { format!("; {version} with --upgrade") } else { String::new() };
    Decision::Satisfied(format!("{command} {runs} is there{newer}"))
}

fn download(wanted: &Download, there: Option<&str>, host: &HostFacts, mirrors: &Mirrors) -> Decision {
    let destination = host.expand(&wanted.destination);
    let architecture = host.architecture();
    let Some(url) = architecture.and_then(|it| wanted.url.get(it)) else {
        return Decision::Blocked(format!("there is none for {}", host.arch));
    };
    let pinned = architecture.and_then(|it| wanted.sha256.get(it));
    // Without a sum of ours the destination's name has the version, and what is there stays.
    if there.is_some_and(|there| pinned.is_none_or(|pinned| pinned == there)) {
        return Decision::Satisfied(format!("{destination} is there"));
    }
    let (url, unpack) = (mirrors.address(&host.expand(url)), wanted.unpack.map(|strip| strip.to_string()));
    let unpack = unpack.as_deref().unwrap_or_default();
    match (pinned, &wanted.sums) {
        (Some(sum), _) => change(
            format!("fetch {destination} from {url}"),
            Call::new("download", [&url, sum, &destination, unpack, &wanted.mode]),
        ),
        (None, Some(sums)) => {
            let sums = mirrors.address(&host.expand(sums));
            change(
                format!("fetch {destination} from {url}, with the sum that {sums} has"),
                Call::new("download_listed", [&url, &sums, &destination, unpack, &wanted.mode]),
            )
        }
        (None, None) => Decision::Blocked(format!("{destination} has no SHA-256 for {}", host.arch)),
    }
}

fn owner_of(path: &str, owner: Option<&str>, host: &HostFacts) -> String {
    match owner {
        Some(owner) => host.expand(owner),
        None if path.starts_with(&format!("{}/", host.home)) => host.user.clone(),
        None => "root".to_owned(),
    }
}

fn file(wanted: &FileStep, there: &FileFact, host: &HostFacts, wishes: &Wishes) -> Decision {
    let path = host.expand(&wanted.path);
    let owner = owner_of(&path, wanted.owner.as_deref(), host);
    let secret = wanted.secret.clone();
    let content = wanted.content.as_ref().map(|content| host.expand(content));
    let before = match there {
        FileFact::Other | FileFact::Link => {
            return Decision::Blocked(format!("{path} is there, and no file"));
        }
        FileFact::Absent => "-",
        // What a secret is, nobody compares: once it is there it stays. One that was left out comes when it is given.
        FileFact::File { sha256, mode, owner: whose } => {
            let text = content.as_deref().unwrap_or_default();
            let same = match &secret {
                Some(name) => !wishes.given.contains(name) || *sha256 != edit::sum(&format!("{text}\n")),
                None => *sha256 == edit::sum(text),
            };
            if same && *mode == wanted.mode && *whose == owner {
                return Decision::Satisfied(format!("{path} is as it should be"));
            }
            sha256
        }
    };
    let function = if secret.is_some() && content.is_some() { "secret_put" } else { "file_put" };
    let mut words = vec![path.clone(), wanted.mode.clone(), owner, before.to_owned()];
    words.extend(content);
    let verb = if before == "-" { "write" } else { "replace" };
    change(format!("{verb} {path}"), Call { secret, ..Call::new(function, words) })
}

fn edited(wanted: &Edit, there: &FileFact, content: &[u8], host: &HostFacts) -> Decision {
    let path = host.expand(&wanted.path);
    let (before, mode, owner) = match there {
        FileFact::Other => return Decision::Blocked(format!("{path} is there, and no file")),
        FileFact::Link => {
            return Decision::Blocked(format!("{path} is a link to no file that {} may read", host.user));
        }
        FileFact::Absent => ("-", "0644".to_owned(), owner_of(&path, None, host)),
        FileFact::File { sha256, mode, owner } => (sha256.as_str(), mode.clone(), owner.clone()),
    };
    let Ok(text) = std::str::from_utf8(content) else {
        return Decision::Blocked(format!("{path} is not UTF-8"));
    };
    let wanted = wanted.with(&|text| host.expand(text));
    match edit::apply(&wanted, text) {
        Err(why) => Decision::Blocked(format!("{path} cannot be edited: {why}")),
        Ok(new) if new == text && before != "-" => Decision::Satisfied(format!("{path} says what it should")),
        Ok(new) => {
            let keys: Vec<&str> = wanted.set.keys().chain(wanted.add.keys()).map(String::as_str).collect();
            let words = [&path, &mode, &owner, before, &new, &unedit::written(&wanted)];
            change(format!("set {} in {path}", several(&keys)), Call::new("file_edit", words).hiding(4))
        }
    }
}

pub(super) fn service_call(wanted: &Service) -> Call {
    let yes = |wanted: bool| if wanted { "yes" } else { "no" };
    let (enabled, running) = (yes(wanted.enabled), yes(wanted.running));
    Call::new("service_up", [wanted.scope.name(), &wanted.unit, enabled, running])
}

fn service(wanted: &Service, enabled: &str, active: &str, ends: bool) -> Decision {
    let unit = &wanted.unit;
    let starts = !wanted.enabled || matches!(enabled, "enabled" | "static" | "alias");
    let runs = !wanted.running || active == "active";
    match (starts, runs) {
        (true, true) if ends => change(format!("let {unit} run without a login"), service_call(wanted)),
        (true, true) => Decision::Satisfied(format!("{unit} runs")),
        (false, true) => change(format!("start {unit} at boot"), service_call(wanted)),
        (true, false) => change(format!("start {unit}"), service_call(wanted)),
        (false, false) => change(format!("start {unit}, now and at boot"), service_call(wanted)),
    }
}

fn user(wanted: &User, there: Option<&UserFact>, host: &HostFacts) -> Decision {
    let name = host.expand(&wanted.name);
    let (sudo, linger, keys) = there.map_or((false, false, false), |it| (it.sudo, it.linger, it.keys));
    let mut lacks = Vec::new();
    if wanted.sudo && !sudo {
        lacks.push("sudo");
    }
    if wanted.linger && !linger {
        lacks.push("services without a login");
    }
    if wanted.keys && !keys {
        lacks.push("the keys of this login");
    }
    if there.is_some() && lacks.is_empty() {
        return Decision::Satisfied(format!("the user {name} is there"));
    }
    let yes = |wanted: bool| if wanted { "yes" } else { "no" };
    let verb = if there.is_none() { "make the user" } else { "give the user" };
    let with = match (there.is_none(), lacks.is_empty()) {
        (_, true) => String::new(),
        (true, false) => format!(", with {}", several(&lacks)),
        (false, false) => format!(": {}", several(&lacks)),
    };
    change(
        format!("{verb} {name}{with}"),
        Call::new("user_make", [&name, yes(wanted.sudo), yes(wanted.linger), yes(wanted.keys)]),
    )
}

fn are(n: usize) -> &'static str {
    if n == 1 { "is" } else { "are" }
}
