//! What is to be done: a pure comparison of what a component wants with what is on the host.

use std::collections::{BTreeMap, BTreeSet};

use super::cannot;
use super::comes::Comes;
use super::component::{Component, Kind, Step};
use super::decide::{decide, service_call, shell_call};
use super::facts::{Facts, HostFacts};
use super::kinds::Scope;
use super::mirror::Mirrors;
use super::packages;
use super::program::Call;

/// What is to be done about a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: it is so already. A sentence says what is so.
    Satisfied(String),
    /// This.
    Change(Change),
    /// It cannot be done; a sentence says why.
    Blocked(String),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// A sentence.
    pub what: String,
    /// What does it.
    pub call: Call,
}

impl Change {
    /// Could it shut the login out? Then a fresh login has to confirm it.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.call.function.starts_with("ufw_") || self.call.function.starts_with("sshd_")
    }
}

/// What is wanted besides what the files say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Move to newer pins.
    pub upgrade: bool,
    /// Where things come from instead.
    pub mirrors: Mirrors,
    /// The secrets that are given, by name.
    pub given: BTreeSet<String>,
    /// There is nobody to be asked for another one.
    pub unattended: bool,
}

/// What is to be done about a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentPlan {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub summary: String,
    /// The components that must be there first.
    pub needs: Vec<String>,
    /// Its steps; empty where nothing can be done.
    pub steps: Vec<Decision>,
    /// Why nothing can be done.
    pub blocked: Option<String>,
    /// MB that it takes.
    pub disk: u64,
    /// Its units, each after its scope, where it needs the firewall: nothing else keeps them closed.
    pub behind_firewall: Vec<String>,
    /// What others can reach then.
    pub opens: Vec<String>,
    /// A sentence that a person should read.
    pub note: Option<String>,
}

impl ComponentPlan {
    /// The steps that change something, with their numbers.
    pub fn changes(&self) -> impl Iterator<Item = (usize, &Change)> {
        let runs = self.blocked.is_none();
        self.steps.iter().enumerate().filter_map(move |(number, step)| match step {
            Decision::Change(change) if runs => Some((number, change)),
            _ => None,
        })
    }

    /// Nothing can be done for want of root's rights alone.
    #[must_use]
    pub fn wants_rights(&self) -> bool {
        self.blocked.as_deref() == Some(WANTS_RIGHTS)
    }

    /// Everything is as it should be.
    #[must_use]
    pub fn is_satisfied(&self) -> bool {
        self.blocked.is_none() && self.steps.iter().all(|step| matches!(step, Decision::Satisfied(_)))
    }
}

/// What is to be done about these components, which are in order.
#[must_use]
pub fn plan(components: &[&Component], facts: &Facts, wishes: &Wishes) -> Vec<ComponentPlan> {
    let mut blocked: BTreeMap<&str, String> = BTreeMap::new();
    let mut plans = Vec::new();
    let mut mended = !facts.host.dpkg_broken;
    let mut comes = Comes::default();
    let mut free = facts.host.disk;
    for component in components {
        let mut plan = ComponentPlan {
            name: component.name.clone(),
            summary: component.purpose().to_owned(),
            needs: component.needs().map(str::to_owned).collect(),
            steps: Vec::new(),
            blocked: None,
            disk: component.about.disk,
            behind_firewall: behind_firewall(component),
            opens: component.about.opens.clone(),
            note: component.about.note.as_ref().map(|note| facts.host.expand(note)),
        };
        if let Some(need) = component.needs().find(|need| blocked.contains_key(need)) {
            plan.blocked = Some(format!("it needs {need}"));
        } else {
            let mut with_this = comes.clone();
            fill(&mut plan, component, facts, wishes, &mut with_this);
            fits(&mut plan, &mut free, &facts.host);
            if plan.blocked.is_none() {
                comes = with_this;
            }
        }
        if !mended && plan.blocked.is_none() {
            mended = packages::mend(&mut plan, component, facts.host.rights);
        }
        if let Some(why) = &plan.blocked {
            blocked.insert(&component.name, why.clone());
        }
        plans.push(plan);
    }
    plans
}

fn behind_firewall(component: &Component) -> Vec<String> {
    let units = component.steps.iter().filter_map(|step| match &step.kind {
        Kind::Service(service) => Some([service.scope.name().to_owned(), service.unit.clone()]),
        _ => None,
    });
    let needs = component.needs().any(|need| need == FIREWALL);
    if needs { units.flatten().collect() } else { Vec::new() }
}

/// Why nothing can be done without root's rights.
const WANTS_RIGHTS: &str = "it needs root's rights on the host";

/// The component that is the firewall.
const FIREWALL: &str = "ufw";

fn fill(plan: &mut ComponentPlan, component: &Component, facts: &Facts, wishes: &Wishes, comes: &mut Comes) {
    let host = &facts.host;
    if let Some(why) = cannot::why(component, host) {
        plan.blocked = Some(why);
        return;
    }
    // What comes or changes restarts the services after it, and what a service does is then looked at anew.
    let (mut file_changes, mut service_changes) = (false, false);
    for (number, step) in component.steps.iter().enumerate() {
        let Some(fact) = facts.steps.get(&(component.name.clone(), number)) else {
            plan.blocked = Some("the host said nothing of it".to_owned());
            return;
        };
        let makes_sense = facts.holds.get(&(component.name.clone(), number)).copied().unwrap_or(true);
        let mut decision = match (comes.see(step, fact, host), &step.only_if) {
            (Err(nothing), _) => nothing,
            (Ok(_), Some(only)) if !makes_sense => Decision::Satisfied(host.expand(&only.otherwise)),
            (Ok(fact), _) => decide(step, &fact, host, wishes, facts.records.lines(&component.name)),
        };
        if let (Some(why), Decision::Change(_)) = (too_little_memory(step, host), &decision) {
            decision = Decision::Blocked(why);
        }
        if let (Kind::Service(service), Decision::Satisfied(_), true) = (&step.kind, &decision, file_changes)
        {
            decision = change(format!("restart {}", service.unit), service_call(service));
        }
        if let (Kind::Shell(shell), Decision::Satisfied(_), true) = (&step.kind, &decision, service_changes) {
            decision = change(format!("see that {}", shell.says), shell_call(shell));
        }
        if let (Some(why), Decision::Change(_)) = (of_another(component, step, facts), &decision) {
            decision = Decision::Blocked(why);
        }
        match &decision {
            Decision::Change(_) if needs_root(step, host) && !host.rights.is_root() => {
                plan.blocked.get_or_insert(WANTS_RIGHTS.to_owned());
            }
            Decision::Change(_) => {
                file_changes |= matches!(
                    step.kind,
                    Kind::Npm(_) | Kind::Download(_) | Kind::File(_) | Kind::Edit(_) | Kind::Shell(_)
                );
                service_changes |= matches!(step.kind, Kind::Service(_));
            }
            Decision::Blocked(why) => drop(plan.blocked.get_or_insert(why.clone())),
            Decision::Satisfied(_) => {}
        }
        comes.note(step, &decision);
        plan.steps.push(decision);
    }
}

/// It has room beside the components before it, which leave so much of the disk `free`.
fn fits(plan: &mut ComponentPlan, free: &mut u64, host: &HostFacts) {
    if plan.changes().next().is_none() {
        return;
    }
    let needed = plan.disk;
    if *free < needed + SPARE {
        let beside = if *free == host.disk { "" } else { " beside what comes before it" };
        let disk = match host.disk_at.as_str() {
            "/" => "the host's disk".to_owned(),
            at => format!("the host's {at}"),
        };
        plan.blocked = Some(format!("it takes {needed} MB, and {disk} has {free} MB left{beside}"));
    } else {
        *free -= needed;
    }
}

/// Why this step would end with something killed for memory.
fn too_little_memory(step: &Step, host: &HostFacts) -> Option<String> {
    let (needed, free) = (step.memory?, host.memory?);
    let lacks = needed.checked_sub(free).filter(|&lacks| lacks > 0)?;
    Some(format!(
        "it takes {needed} MB of memory for some minutes, and the host has {free} MB free with its swap: with {lacks} MB more of swap it will do"
    ))
}

/// Why this step would mix what is this user's with what is there for another one: both would be taken back for that one.
fn of_another(component: &Component, step: &Step, facts: &Facts) -> Option<String> {
    let name = &component.name;
    let user = facts.records.user(name).filter(|&user| user != facts.host.user)?;
    // npm's packages are for all where there is more than one user.
    let of_user = !needs_root(step, &facts.host) && !matches!(step.kind, Kind::Npm(_));
    of_user.then(|| {
        format!(
            "it was put here for {user}, and can be there for one user alone: `sinc uninstall {name}` first"
        )
    })
}

/// What must be left on a disk, MB.
const SPARE: u64 = 200;

fn needs_root(step: &Step, host: &HostFacts) -> bool {
    let below_home = |path: &str| host.expand(path).starts_with(&format!("{}/", host.home));
    match &step.kind {
        Kind::Apt(_) | Kind::User(_) | Kind::Ufw(_) | Kind::Sshd(_) | Kind::Tailnet(_) => true,
        Kind::Npm(_) => false,
        Kind::Download(download) => !below_home(&download.destination),
        Kind::File(file) => !below_home(&file.path),
        Kind::Edit(edit) => !below_home(&edit.path),
        Kind::Service(service) => service.scope == Scope::System,
        Kind::Shell(shell) => !shell.as_user,
    }
}

pub(super) fn change(what: String, call: Call) -> Decision {
    Decision::Change(Change { what, call })
}

/// "a", "a and b", "a, b and c".
#[must_use]
pub fn several(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
