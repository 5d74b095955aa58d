//! Programs for the host: constant parts from the files in `host/`, and calls of their functions whose words are quoted.
//! A program travels over standard input, as one braced block: a line that is cut leaves no half of it.

use super::target::Target;
use crate::process::quote;
use crate::remote::Script;

/// Runs the program that comes on standard input, with the rights that there are.
pub static ENTER: Script = Script::new(include_str!("enter.sh"));

const LIB: &str = include_str!("host/lib.sh");
const PROBE: &str = include_str!("host/probe.sh");
const STEPS: &str = include_str!("host/steps.sh");
const PACKAGES: &str = include_str!("host/packages.sh");
const FILES: &str = include_str!("host/files.sh");
const GUARD: &str = include_str!("host/guard.sh");
const BEHIND: &str = include_str!("host/behind.sh");
const SERVICES: &str = include_str!("host/services.sh");
const FIREWALL: &str = include_str!("host/firewall.sh");
const SSHD: &str = include_str!("host/sshd.sh");
const UNDO: &str = include_str!("host/undo.sh");
const RUN: &str = include_str!("host/run.sh");
const START: &str = include_str!("host/start.sh");

/// What changes something.
const WORK: [&str; 9] = [STEPS, PACKAGES, FILES, SERVICES, GUARD, BEHIND, FIREWALL, SSHD, UNDO];

/// A call of one of the functions in `host/`, with its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The function.
    pub function: &'static str,
    /// Its words.
    pub words: Vec<String>,
    /// The last word is a secret, of this name.
    pub secret: Option<String>,
    /// The word at this place is the text of a person's own file, which may hold secrets: it is not shown.
    pub hidden: Option<usize>,
}

impl Call {
    /// A call.
    #[must_use]
    pub fn new<S: Into<String>>(function: &'static str, words: impl IntoIterator<Item = S>) -> Self {
        Self { function, words: words.into_iter().map(Into::into).collect(), secret: None, hidden: None }
    }

    /// The word at this place is not shown.
    #[must_use]
    pub(super) fn hiding(self, place: usize) -> Self {
        Self { hidden: Some(place), ..self }
    }
}

/// The texts of these functions in `host/` and of those that they lead to, each once, in the order of a program.
#[must_use]
pub fn functions<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<&'static str> {
    let all: Vec<(&str, &str)> = std::iter::once(LIB).chain(WORK).flat_map(defined).collect();
    let mut wanted = vec![false; all.len()];
    let mut open: Vec<&str> = names.into_iter().collect();
    while let Some(name) = open.pop() {
        let Some(at) = all.iter().position(|(defined, _)| *defined == name) else { continue };
        if !std::mem::replace(&mut wanted[at], true) {
            open.extend(called_in(all[at].1));
        }
    }
    all.iter().zip(wanted).filter(|(_, wanted)| *wanted).map(|((_, text), _)| *text).collect()
}

/// What may be called in a text: its words that are neither variables nor parts of other words.
fn called_in(text: &str) -> impl Iterator<Item = &str> {
    let is_of_a_word = |letter: char| letter.is_ascii_alphanumeric() || "_$={/.-".contains(letter);
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(move |line| line.split(move |letter| !is_of_a_word(letter)))
}

/// The functions of a part, with their texts and what is said of them.
fn defined(part: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    part.match_indices("() {").filter_map(move |(at, _)| {
        let start = part[..at].rfind('\n').map_or(0, |at| at + 1);
        let (name, rest) = (&part[start..at], &part[start..]);
        let first = rest.lines().next().unwrap_or_default();
        let end = start + if first.ends_with('}') { first.len() } else { rest.find("\n}")? + 2 };
        let said = part[..start].split_inclusive('\n').rev().take_while(|line| line.starts_with("# "));
        let from = start - said.map(str::len).sum::<usize>();
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            .then_some((name, &part[from..end]))
    })
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.function)?;
        for (place, word) in self.words.iter().enumerate() {
            let shown = if self.hidden == Some(place) { "***" } else { word };
            write!(f, " {}", quote::posix(shown))?;
        }
        match &self.secret {
            Some(_) => f.write_str(" '***'"),
            None => Ok(()),
        }
    }
}

/// A program that is being put together.
#[derive(Clone, Debug)]
pub struct Program {
    text: String,
}

impl Program {
    fn of(parts: &[&str], target: &Target) -> Self {
        let mut program = Self { text: "{\n".to_owned() };
        parts.iter().for_each(|part| program.text.push_str(part));
        program.call(&["target", &target.user, if target.as_root { "yes" } else { "no" }]);
        program
    }

    /// A program that looks.
    #[must_use]
    pub fn probing(target: &Target) -> Self {
        let mut program = Self::of(&[LIB, PROBE], target);
        program.call(&["host_facts"]);
        program
    }

    /// A program that changes something; its fifth word is its run's id.
    #[must_use]
    pub fn working(target: &Target) -> Self {
        let mut program = Self::of(&[&[LIB][..], &WORK, &[RUN]].concat(), target);
        program.text.push_str("run_begin \"$5\"\n");
        program
    }

    /// A program that starts another one, and watches it.
    #[must_use]
    pub fn starting(target: &Target, program: &str) -> String {
        let mut start = Self::of(&[LIB, START], target);
        start.call(&["start_run", program]);
        start.finish()
    }

    /// A program that watches a run from one of its events on.
    #[must_use]
    pub fn watching(target: &Target, run: &str, from: usize) -> String {
        let mut watch = Self::of(&[LIB, START], target);
        watch.call(&["watch_run", run, &from.to_string()]);
        watch.finish()
    }

    /// A program that shows the log of a run.
    #[must_use]
    pub fn showing_log(target: &Target, run: &str) -> String {
        let mut show = Self::of(&[LIB, START], target);
        show.call(&["show_log", run]);
        show.finish()
    }

    /// A program that takes the guard of this change away.
    #[must_use]
    pub fn confirming(target: &Target, change: &str) -> String {
        let mut confirm = Self::of(&[LIB, GUARD], target);
        confirm.call(&["guard_confirm", change]);
        confirm.finish()
    }

    /// Adds a call.
    pub fn call(&mut self, words: &[&str]) {
        let words: Vec<String> = words.iter().map(|word| quote::posix(word)).collect();
        self.text.push_str(&words.join(" "));
        self.text.push('\n');
    }

    /// The whole program.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.text.push_str("} </dev/null\n");
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Cmd, Runner};

    #[test]
    fn every_program_is_one_for_every_shell() {
        let target = Target::new("dev", false).unwrap();
        let mut work = Program::working(&target);
        work.call(&["component", "base"]);
        work.call(&["step", "0", "file_put", "/a b", "it's\n$(x) `y` \\"]);
        let work = work.finish();
        for text in [
            Program::probing(&target).finish(),
            Program::starting(&target, &work),
            Program::watching(&target, "x", 3),
            Program::confirming(&target, "1"),
            work,
        ] {
            for shell in ["sh", "dash", "bash"] {
                let cmd = Cmd::new(shell, "check a program").args(["-n", "-s"]).stdin(text.clone());
                match Runner::default().answer(&cmd) {
                    Ok(output) => assert_eq!(output.stderr, "", "{shell}"),
                    Err(error) => assert!(error.is_not_found() && shell != "sh", "{shell}: {error}"),
                }
            }
        }
    }

    #[test]
    fn a_step_says_that_it_was_killed_where_the_host_ran_out_of_memory() {
        let dir = tempfile::tempdir().unwrap();
        let stands_in = "behind_begin() { :; }\nbehind_end() { :; }\nkilled_for_memory() { cat \"$run/killed\"; }\n\
            npm() { echo 1 >\"$run/killed\"; because 'npm could not install x'; }\n\
            dies() { sh -c 'kill -KILL $PPID'; }\nfails() { because 'not its day'; }\n";
        let calls: String = ["npm", "dies", "fails"]
            .map(|name| format!("component=of-{name} step_failed=\nstep 0 {name}\n"))
            .concat();
        let run = dir.path().display();
        let text = format!(
            "run={run} guard={run}/none failed=' '\necho 0 >{run}/killed\n: >{run}/log\n{STEPS}{RUN}{stands_in}{calls}"
        );
        let cmd = Cmd::new("sh", "run steps").args(["-s"]).stdin(text);
        let output = Runner::default().answer(&cmd).unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let why: Vec<&str> = said.lines().filter(|line| line.starts_with("why ")).collect();
        assert_eq!(
            why,
            [
                "why of-npm npm could not install x; the host has run out of memory, and the kernel killed a program of this step",
                "why of-dies its command was killed, as the kernel does when no memory is left: `sudo dmesg` on the host says so, and swap would help",
                "why of-fails not its day",
            ],
            "{said}"
        );
    }

    /// What these lines say after the parts of a program, as a user whose home directory and notes are here.
    fn said(dir: &std::path::Path, lines: &str) -> String {
        let begin = format!(
            "home={0} state={0}/state run={0} me=1000 user=dev component=x\nPATH={0}/bin:$PATH\nset -eu\n",
            dir.display()
        );
        let text = format!("set -- '' dev / none\n{LIB}{STEPS}{PACKAGES}{FILES}{UNDO}{begin}{lines}");
        let cmd = Cmd::new("sh", "run functions").args(["-s"]).stdin(text).answers(&[0, 1]);
        String::from_utf8(Runner::default().answer(&cmd).unwrap().stdout).unwrap()
    }

    #[test]
    fn an_older_program_that_is_found_before_the_one_of_npm_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let put = |path: &str, says: &str| {
            use std::os::unix::fs::PermissionsExt as _;
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, format!("#!/bin/sh\necho {says}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        put("bin/npm", "added 1 package");
        put(".local/bin/agent", "1.2.3");
        let install = |version: &str| {
            said(dir.path(), &format!("npm_install agent-of-npm {version} no agent\necho came\n"))
        };
        assert!(install("1.2.3").ends_with("came\n"), "{}", install("1.2.3"));
        // It says no version that npm would know it by.
        assert!(install("1.2.4").ends_with("came\n"), "{}", install("1.2.4"));
        put(".opencode/bin/agent", "0.9.1");
        let why = format!(
            "{}/.opencode/bin/agent, which is 0.9.1, is found first: remove it, or update it\n",
            dir.path().display()
        );
        assert!(install("1.2.3").ends_with(&why), "{}", install("1.2.3"));
        // The same one, put there by other means.
        put(".opencode/bin/agent", "1.2.3");
        assert!(install("1.2.3").ends_with("came\n"), "{}", install("1.2.3"));
    }

    /// Puts a program in the place of one, which goes first.
    fn put(dir: &std::path::Path, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = dir.join("bin").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn without_rights_a_service_outlives_the_logout_where_the_host_lets_it_and_else_that_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let up = |scope: &str| {
            let stands_in = "emit() { echo \"$*\"; }\nservice_ctl() { :; }\nlingering=$home/lingers\n";
            said(
                dir.path(),
                &format!(
                    "{stands_in}service_up {scope} x.service yes yes\nservice_up {scope} y.service yes yes\n"
                ),
            )
        };
        let notes = dir.path().join("state/installed/x");
        let noted = || std::fs::read_to_string(&notes).unwrap().contains("linger\tdev\n");
        put(dir.path(), "loginctl", "exit 1");
        let told = "note x what runs as dev ends at its last logout, and comes back at its next login; an administrator of the \
            host changes that: `sudo loginctl enable-linger dev`\n";
        assert_eq!(up("system"), "");
        assert_eq!(up("user"), told, "once");
        assert!(!noted());
        put(dir.path(), "loginctl", "[ \"$*\" = '--no-ask-password enable-linger' ]");
        assert_eq!(up("user"), "");
        assert!(noted());
        put(dir.path(), "loginctl", "echo \"$*\"");
        assert_eq!(
            said(dir.path(), &format!("{UNDO}undo_linger dev\n")),
            "--no-ask-password disable-linger\n"
        );
        assert_eq!(said(dir.path(), &format!("{UNDO}me=0\nundo_linger dev\n")), "disable-linger dev\n");
        // It was so before, and stays.
        std::fs::remove_file(&notes).unwrap();
        std::fs::create_dir(dir.path().join("lingers")).unwrap();
        std::fs::write(dir.path().join("lingers/dev"), "").unwrap();
        put(dir.path(), "loginctl", "exit 1");
        assert_eq!(up("user"), "");
        assert!(!noted());
    }

    #[test]
    fn a_user_that_is_made_again_has_its_home_again() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["id", "useradd", "usermod", "stat", "getent"] {
            let says = match name {
                "id" => "exit 1",
                "stat" => "cat \"${0%/*}/owner\"",
                "getent" => "[ \"$2\" = 0 ] && echo root:x:0:0",
                _ => "echo \"${0##*/} $*\"",
            };
            put(dir.path(), name, says);
        }
        let make = || said(dir.path(), "homes=$home/homes\nuser_make dev no no no\n");
        let made = |with: &str| format!("useradd -m -s /bin/bash {with}dev\nusermod -p * dev\n");
        assert!(make().contains(&made("")), "{}", make());
        std::fs::create_dir_all(dir.path().join("homes/dev")).unwrap();
        std::fs::write(dir.path().join("bin/owner"), "1003\n").unwrap();
        assert!(make().contains(&made("-u 1003 ")), "{}", make());
        std::fs::write(dir.path().join("bin/owner"), "0\n").unwrap();
        let why =
            "/homes/dev is there already, and is root's: move it away, or choose another name (--user)\n";
        assert!(make().ends_with(why), "{}", make());
    }

    #[test]
    fn a_run_that_cannot_be_started_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let said = |lines: &str| {
            let text = format!("{START}run={}\n{lines}", dir.path().display());
            let cmd = Cmd::new("sh", "run functions").args(["-s"]).stdin(text).answers(&[92]);
            String::from_utf8(Runner::default().answer(&cmd).unwrap().stdout).unwrap()
        };
        std::fs::write(dir.path().join("program"), "a secret").unwrap();
        assert_eq!(said("sleep() { :; }\nwait_for_pid\n"), "not-started it does not begin\n");
        assert!(!dir.path().join("program").exists());
        assert_eq!(said("run=\nnot_started 'its day'\n"), "not-started its day\n");
        // What systemd says, and no wait without an end.
        assert!(START.contains("2>\"$run/said\" ||\n      not_started \"$(tail -n 1 \"$run/said\")\""));
        assert!(START.contains("setsid -f timeout -k 60 3h sh "));
    }

    #[test]
    fn tailscale_is_never_waited_for_without_an_end() {
        for part in [PROBE, SERVICES] {
            for line in part.lines().filter(|line| !line.trim_start().starts_with('#')) {
                for (at, _) in line.match_indices("tailscale ") {
                    let before = line[..at].trim_end();
                    let is_bounded = before.rsplit(' ').nth(1).is_some_and(|word| word.ends_with("timeout"));
                    let is_called =
                        ["status", "up", "logout"].iter().any(|it| line[at + 10..].starts_with(it));
                    assert!(is_bounded || !is_called, "{line}");
                }
            }
        }
    }

    #[test]
    fn each_component_notes_the_lingering_that_it_needs_unless_it_is_a_persons_own() {
        let dir = tempfile::tempdir().unwrap();
        let stands_in =
            "lingering=$home/linger\nmkdir -p \"$lingering\"\nloginctl() { : >\"$lingering/$2\"; }\n";
        let notes = |name: &str| {
            let note = std::fs::read_to_string(dir.path().join("state/installed").join(name));
            note.unwrap_or_default()
        };
        let run = |lines: &str| said(dir.path(), &format!("{stands_in}{lines}\necho done\n"));
        for name in ["one", "two"] {
            run(&format!("component={name}; let_linger dev"));
            assert_eq!(notes(name), "as\tdev\nlinger\tdev\n");
        }
        run(": >\"$lingering/ann\"; component=three; let_linger ann");
        assert_eq!(notes("three"), "");
        // What goes over to another one is noted with that one, once.
        for _ in 0..2 {
            run("component=one; hand_over two linger dev apt git");
        }
        assert_eq!(notes("two"), "as\tdev\nlinger\tdev\napt\tgit\n");
        assert_eq!(run("hand_over four linger dev"), "four is not there any more: run it again\n");
    }

    #[test]
    fn mending_packages_waits_for_a_package_manager_that_is_at_work() {
        let dir = tempfile::tempdir().unwrap();
        // Whoever is waited for ends while it is.
        let lines = "component=base\nemit() { echo \"$*\"; }\napt() { echo \"apt $*\"; }\n\
            package_lock_holder() { [ -e \"$run/ended\" ] || echo $$; }\nsleep() { : >\"$run/ended\"; }\n\
            dpkg() { [ -e \"$run/ended\" ] || echo 'too early'; }\ntimeout() { :; }\nls() { echo 0001; }\npackages_mend\n";
        assert_eq!(
            said(dir.path(), lines)
                .lines()
                .map(|line| line.replace(char::is_numeric, ""))
                .collect::<Vec<_>>(),
            [
                "wait base the package manager is busy: sh (process )",
                "an installation of packages was cut off before: dpkg --configure -a, apt-get -f install",
                "apt -f install --no-remove",
            ]
        );
    }

    #[test]
    fn a_download_is_its_users_and_on_the_disk_before_it_is_in_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let is_there = |path: &str| dir.path().join(path).exists();
        put("came/top/program", "new\n");
        // What each of them is told, from the home directory on.
        let stands_in = "fetch() { cp \"$home/$1\" \"$2\"; }\nas_user() { \"$@\"; }\nme=0\n\
            told() { it=$1; shift; for word in \"$@\"; do case $word in \"$home\"/*) it=\"$it ${word#\"$home\"/}\" ;; esac; done; \
            case $it in *state* | *download*) ;; *' '*) echo \"$it\" ;; esac; }\n\
            chown() { told \"chown $1 $2\" \"$@\"; }\nsync() { told sync \"$@\"; command sync \"$@\"; }\n\
            sync_below() { told 'sync below' \"$@\"; }\nmv() { told mv \"$@\"; command mv \"$@\"; }\n";
        let run = |lines: &str| said(dir.path(), &format!("{stands_in}{lines}\n"));
        let archive = "tar -cf \"$home/a.tar\" -C \"$home/came\" top\nsum=$(sha256sum <\"$home/a.tar\" | cut -d' ' -f1)\n";
        let unpack = format!("{archive}download a.tar \"$sum\" \"$home/opt/it\" 1 0755\n");
        let placed = "chown -hR dev: opt/it.sinc-new\nsync below opt/it.sinc-new\n";
        assert_eq!(run(&unpack), format!("{placed}mv opt/it.sinc-new opt/it\nsync opt\n"));
        put("opt/it/older", "");
        let moved = "mv opt/it opt/it.sinc-old\nmv opt/it.sinc-new opt/it\nsync opt\n";
        assert_eq!(run(&unpack), format!("{placed}{moved}"));
        assert!(is_there("opt/it/program") && !is_there("opt/it/older") && !is_there("opt/it.sinc-old"));
        let file = "sum=$(sha256sum <\"$home/came/top/program\" | cut -d' ' -f1)\n\
            download came/top/program \"$sum\" \"$home/opt/file\" '' 0755\n";
        let placed = placed.replace("opt/it", "opt/file");
        for _ in 0..2 {
            assert_eq!(run(file), format!("{placed}mv opt/file.sinc-new opt/file\nsync opt\n"));
        }
        // What a run that was cut off left: after the new one was in its place, and before.
        put("opt/it.sinc-old/older", "");
        run("downloads_tidy");
        assert!(is_there("opt/it/program") && !is_there("opt/it.sinc-old"));
        std::fs::rename(dir.path().join("opt/it"), dir.path().join("opt/it.sinc-old")).unwrap();
        run("downloads_tidy");
        assert!(is_there("opt/it/program") && !is_there("opt/it.sinc-old"));
    }

    #[test]
    fn what_root_puts_there_with_npm_is_noted_whatever_lies_in_the_home_directory() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        put(
            "bin/npm",
            "#!/bin/sh\nat=${0%/*}/../global\n[ \"$1\" = prefix ] && echo \"$at\" && exit\n\
            mkdir -p \"$at/lib/node_modules/agent\" && echo '{}' >\"$at/lib/node_modules/agent/package.json\"\n",
        );
        put(".local/lib/node_modules/agent/package.json", "{\n  \"version\": \"0.9.1\"\n}\n");
        put(".local/bin/agent", "#!/bin/sh\necho 0.9.1\n");
        let install = || said(dir.path(), "me=0\nnpm_install agent 1.2.3 no agent\n");
        let told = install();
        assert!(
            told.ends_with("/.local/bin/agent, which is 0.9.1, is found first: remove it, or update it\n"),
            "{told}"
        );
        let noted = dir.path().join("state/installed/x");
        assert_eq!(std::fs::read_to_string(&noted).unwrap(), "as\tdev\nnpm\tagent\n");
        // What is there already where it goes is a person's.
        std::fs::remove_file(&noted).unwrap();
        install();
        assert!(!noted.exists());
    }

    #[test]
    fn keys_that_never_came_in_are_taken_out_of_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        // A link to where nobody writes.
        std::os::unix::fs::symlink("/proc/version", dir.path().join("own")).unwrap();
        write("kept", "ssh-ed25519 AAAA of-login\n");
        let undo =
            |file: &str| said(dir.path(), &format!("undo_keys \"$home/{file}\" \"$home/kept\"\necho done\n"));
        assert_eq!(undo("own"), "done\n");
        // What did come in goes.
        write("mine", "ssh-ed25519 BBBB mine\nssh-ed25519 AAAA of-login\n");
        assert!(undo("mine").ends_with("done\n"), "{}", undo("mine"));
        let left = std::fs::read_to_string(dir.path().join("mine")).unwrap();
        assert_eq!(left, "ssh-ed25519 BBBB mine\n");
    }

    #[test]
    fn a_function_is_shown_whole_with_those_that_it_uses() {
        let texts = functions(["npm_install", "undo_linger", "npm_install"]);
        let heads: Vec<&str> = texts
            .iter()
            .flat_map(|text| text.lines())
            .filter_map(|line| line.split_once("() {").map(|(head, _)| head))
            .collect();
        for name in ["npm_install", "undo_linger", "npm_prefix", "record", "because"] {
            assert_eq!(heads.iter().filter(|head| **head == name).count(), 1, "{name}: {heads:?}");
        }
        for name in ["sshd_set", "target"] {
            assert!(!heads.contains(&name), "{heads:?}");
        }
        assert!(texts.iter().any(|text| text.starts_with("# PACKAGE VERSION SCRIPTS COMMAND\nnpm_install")));
        for text in texts {
            assert!(text.ends_with('}') && text.matches("\n}").count() <= 1, "{text}");
        }
    }
}
