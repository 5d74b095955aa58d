//! What a component file may say: `install/components/NAME.toml`, or a person's own. A component is data, a step kind is
//! code.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::kinds::{Apt, Download, Edit, FileStep, Npm, Service, Shell, Sshd, Tailnet, Ufw, User};
use crate::config::ConfigError;

/// The named sets of components; each holds the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// What a host for one agent needs.
    Minimal,
    /// What most people want.
    Standard,
    /// Everything.
    Full,
}

/// When a component is wanted at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// The login is root, and is not to stay it.
    LoginIsRoot,
}

/// A processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// Intel and AMD.
    #[serde(rename = "x86-64")]
    X86,
    /// 64-bit ARM.
    Arm64,
}

impl Architecture {
    /// Its name in component files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86-64",
            Self::Arm64 => "arm64",
        }
    }
}

/// A component: something that `sinc install` can put on a host.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its name, which is its file's.
    pub name: String,
    /// What it says of itself.
    pub about: About,
    /// What has to be true, in this order.
    pub steps: Vec<Step>,
}

/// What a component says of itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct About {
    /// What it is for, in a few words.
    pub summary: String,
    /// The smallest tier that has it; without one it comes only by name.
    pub tier: Option<Tier>,
    /// It is an agent: it comes when it is the chosen one.
    #[serde(default)]
    pub agent: bool,
    /// In a tier it comes only where this is the chosen agent.
    pub for_agent: Option<String>,
    /// It takes the place of this component: they are two products under one command.
    pub instead_of: Option<String>,
    /// It is not put there for root.
    #[serde(default)]
    pub never_root: bool,
    /// A sentence: what it does not do for root.
    pub as_root: Option<String>,
    /// The components that must be there first.
    #[serde(default)]
    pub needs: Vec<Spanned<String>>,
    /// When it is wanted at all; always unless said.
    pub when: Option<When>,
    /// The processors that it exists for; all unless said.
    #[serde(default = "all_architectures")]
    pub architectures: Vec<Architecture>,
    /// Disk space that it takes, MB.
    #[serde(default)]
    pub disk: u64,
    /// What it opens to others, one phrase each.
    #[serde(default)]
    pub opens: Vec<String>,
    /// Where it comes from.
    pub source: String,
    /// The version that is put there, as far as no `npm` step says it.
    pub version: Option<String>,
    /// When its versions were last looked at.
    pub pinned: String,
    /// A sentence that the plan shows.
    pub note: Option<String>,
    /// What its program records while it works, and what stays of it: files and directories.
    #[serde(default)]
    pub data: Vec<String>,
    /// How it is logged in.
    pub login: Option<Login>,
    /// Each line that it says is something that a person should know: sh for the host's user.
    pub warns: Option<String>,
    /// Secrets that its steps name.
    #[serde(default)]
    pub secret: Vec<Secret>,
    step: Vec<Spanned<StepFile>>,
}

/// How a component's program is logged in, by the person.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Ends well when it is logged in: a line of sh for the host's user.
    pub check: String,
    /// What logs it in.
    pub command: String,
}

/// A secret: from a variable here, or a prompt. It is never shown.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// Its name in this file.
    pub name: String,
    /// The variable of this computer's environment that holds it.
    pub variable: String,
    /// What it is, for the question.
    pub prompt: String,
    /// It may be left out.
    #[serde(default)]
    pub optional: bool,
}

/// One thing that has to be true.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Nothing is done where this program is new enough already.
    pub unless: Option<Enough>,
    /// Nothing is done where this program neither is nor comes.
    pub only_with: Option<String>,
    /// Nothing is done where this does not hold.
    pub only_if: Option<OnlyIf>,
    /// Memory that must be free while it is done, MB.
    pub memory: Option<u64>,
    /// What has to be true.
    pub kind: Kind,
}

impl Step {
    /// The program that decides whether anything is done.
    #[must_use]
    pub fn decided_by(&self) -> Option<&str> {
        self.unless.as_ref().map(|enough| enough.command.as_str()).or(self.only_with.as_deref())
    }
}

/// A program that says its version with `--version`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Enough {
    /// The program.
    pub command: String,
    /// The oldest version that will do.
    pub at_least: String,
}

/// Something that a person does by themselves, and without which a step makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OnlyIf {
    /// Ends well when it holds: lines of sh for the host's user. `$SINC_USER` and `$SINC_HOME` are that user.
    pub check: String,
    /// What the plan says where it does not.
    pub otherwise: String,
}

/// The closed set of step kinds.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Packages of the distribution, or of a vendor's repository.
    Apt(Apt),
    /// A package of npm with a program.
    Npm(Npm),
    /// A file or an archive with its SHA-256.
    Download(Download),
    /// A file with its content.
    File(FileStep),
    /// Keys of a JSON, JSONC or TOML file; all else in it stays.
    Edit(Edit),
    /// A unit of systemd, of the system or of the user.
    Service(Service),
    /// A user.
    User(User),
    /// A rule of the firewall, or that it is on.
    Ufw(Ufw),
    /// Settings of sshd.
    Sshd(Sshd),
    /// A tailnet that it is in.
    Tailnet(Tailnet),
    /// Anything else, with a check.
    Shell(Shell),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct StepFile {
    unless: Option<Enough>,
    only_with: Option<String>,
    only_if: Option<OnlyIf>,
    memory: Option<u64>,
    apt: Option<Apt>,
    npm: Option<Npm>,
    download: Option<Download>,
    file: Option<FileStep>,
    edit: Option<Edit>,
    service: Option<Service>,
    user: Option<User>,
    ufw: Option<Ufw>,
    sshd: Option<Sshd>,
    tailnet: Option<Tailnet>,
    shell: Option<Shell>,
}

fn all_architectures() -> Vec<Architecture> {
    vec![Architecture::X86, Architecture::Arm64]
}

impl Component {
    /// Reads a component's file, whose name is the component's.
    ///
    /// # Errors
    /// It is wrong: file, line, column and the names that would be right.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let mistake = |span, message: String| ConfigError::at(file, text, span, message);
        // It is a word of programs, and a file's name on the host.
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        {
            return Err(mistake(
                0..0,
                format!("`{name}` is no name of a component: lower-case letters, digits, `-`"),
            ));
        }
        let mut about: About = toml::from_str(text)
            .map_err(|error| mistake(error.span().unwrap_or(0..0), error.message().to_owned()))?;
        let secrets: Vec<&str> = about.secret.iter().map(|secret| secret.name.as_str()).collect();
        let mut steps = Vec::new();
        for step in &about.step {
            let (span, file) = (step.span(), step.get_ref().clone());
            let StepFile { unless, only_with, only_if, memory, .. } = file;
            let mut kinds = [
                file.apt.map(Kind::Apt),
                file.npm.map(Kind::Npm),
                file.download.map(Kind::Download),
                file.file.map(Kind::File),
                file.edit.map(Kind::Edit),
                file.service.map(Kind::Service),
                file.user.map(Kind::User),
                file.ufw.map(Kind::Ufw),
                file.sshd.map(Kind::Sshd),
                file.tailnet.map(Kind::Tailnet),
                file.shell.map(Kind::Shell),
            ]
            .into_iter()
            .flatten();
            let (Some(kind), None) = (kinds.next(), kinds.next()) else {
                return Err(mistake(span, "a step has exactly one of `apt`, `npm`, `download`, `file`, `edit`, `service`, `user`, `ufw`, `sshd`, `tailnet`, `shell`".to_owned()));
            };
            kind.check(&secrets, &about.architectures).map_err(|message| mistake(span.clone(), message))?;
            if unless.is_some() && only_with.is_some() {
                return Err(mistake(span, "a step has `unless` or `only-with`, not both".to_owned()));
            }
            steps.push(Step { unless, only_with, only_if, memory, kind });
        }
        about.step.clear();
        Ok(Self { name: name.into_owned(), about, steps })
    }

    /// What it is for, without its own name before it.
    #[must_use]
    pub fn purpose(&self) -> &str {
        match self.about.summary.split_once(": ") {
            Some((first, rest)) if first.eq_ignore_ascii_case(&self.name) => rest,
            _ => &self.about.summary,
        }
    }

    /// The components that must be there first.
    pub fn needs(&self) -> impl Iterator<Item = &str> {
        self.about.needs.iter().map(|need| need.get_ref().as_str())
    }

    /// Does one of its steps ask for this package of apt?
    #[must_use]
    pub fn asks_for(&self, package: &str) -> bool {
        self.steps.iter().any(|step| match &step.kind {
            Kind::Apt(apt) => apt.packages.iter().any(|it| it == package),
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "summary = \"x\"\nsource = \"Debian\"\npinned = \"2026-11-26\"\n";

    fn mistake(steps: &str) -> String {
        Component::parse(Path::new("test.toml"), &format!("{HEAD}{steps}")).unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_file_is_told_with_its_place_and_the_right_names() {
        insta::assert_snapshot!(
            [
                mistake("[[step]]\napk = { packages = [\"x\"] }\n"),
                mistake("[[step]]\napt = { package = [\"x\"] }\n"),
                mistake("[[step]]\nshell = { says = \"x\", apply = \"true\" }\n"),
                mistake("[[step]]\n"),
                mistake("[[step]]\nshell = { says = \"x\\ny\", check = \"true\", apply = \"true\" }\n"),
                mistake("[[step]]\napt = { packages = [] }\n"),
                mistake("[[step]]\napt = { packages = [\"a b\"] }\n"),
                mistake("[[step]]\nfile = { path = \"etc/x\", content = \"\" }\n"),
                mistake("[[step]]\nfile = { path = \"/etc/x\", secret = \"key\" }\n"),
                mistake("[[step]]\nufw = { }\n"),
                mistake("[[step]]\ndownload = { url = { x86-64 = \"https://a/b\" }, sha256 = { x86-64 = \"ab\" }, destination = \"/opt/x\" }\n"),
                Component::parse(Path::new("test.toml"), "summary = 1").unwrap_err().to_string(),
                Component::parse(Path::new("a b.toml"), "").unwrap_err().to_string(),
            ]
            .join("\n\n")
        );
    }

    #[test]
    fn one_step_of_each_kind() {
        let text = r#"
            tier = "standard"
            needs = ["base"]
            [[secret]]
            name = "key"
            variable = "TS_AUTHKEY"
            prompt = "the auth key"
            [[step]]
            unless = { command = "node", at-least = "22" }
            apt = { packages = ["nodejs"] }
            [[step]]
            npm = { package = "@openai/codex", version = "0.169.0", command = "codex" }
            [[step]]
            file = { path = "{home}/.key", secret = "key", mode = "0600" }
            [[step]]
            edit = { path = "{home}/.x.json", format = "json", set = { "a.b" = 1 }, add = { plugin = ["p@1"] } }
            [[step]]
            service = { unit = "x.service", scope = "user" }
            [[step]]
            user = { name = "{user}", sudo = true, keys = true }
            [[step]]
            ufw = { allow = "2022/tcp", interface = "tailscale0" }
            [[step]]
            shell = { says = "x is y", check = "true", apply = "true", undo = "true" }
        "#;
        let component = Component::parse(Path::new("test.toml"), &format!("{HEAD}{text}")).unwrap();
        assert_eq!(component.steps.len(), 8);
        assert_eq!(component.needs().collect::<Vec<_>>(), ["base"]);
        assert_eq!(component.about.tier, Some(Tier::Standard));
    }
}
