//! What is to be done about sshd: never is the way turned off by which this very login came.

use std::collections::BTreeMap;

use super::kinds::Sshd;
use super::plan::{Decision, change, several};
use super::program::Call;

/// What is to be done, for a login by this method of this user.
pub(super) fn decide(
    wanted: &Sshd,
    method: Option<&str>,
    there: &BTreeMap<String, String>,
    login: &str,
) -> Decision {
    let several_methods = there.get("AuthenticationMethods").filter(|it| *it != "any").map(String::as_str);
    let (mut lines, mut stays, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for (key, value) in &wanted.set {
        if there.get(key).is_some_and(|there| is_stricter(key, there, value)) {
            continue;
        }
        let is_so = there.get(key) == Some(value);
        if !is_so && shuts_out(key, value, method, several_methods, login) {
            stays.push(key.as_str());
            continue;
        }
        lines.push(format!("{key} {value}"));
        if !is_so {
            missing.push(format!("{key} {value}"));
        }
    }
    let by = method.unwrap_or("a way that the host does not tell");
    let stays = match stays.as_slice() {
        [] => String::new(),
        keys => format!("; not {}, because this login of {login} came by {by}", several(keys)),
    };
    if missing.is_empty() {
        return Decision::Satisfied(format!("sshd has its settings{stays}"));
    }
    let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
    change(format!("set in sshd: {}{stays}", several(&missing)), Call::new("sshd_set", lines))
}

/// Does the host let in fewer already than with this value? Then it stays so.
fn is_stricter(key: &str, there: &str, value: &str) -> bool {
    key == "PermitRootLogin"
        && match value {
            "prohibit-password" => matches!(there, "no" | "forced-commands-only"),
            "forced-commands-only" => there == "no",
            _ => false,
        }
}

/// Could this login not be repeated then? What is not known may be the one that is needed.
fn shuts_out(key: &str, value: &str, method: Option<&str>, several: Option<&str>, login: &str) -> bool {
    let uses = |way: &str| {
        method.is_none_or(|method| method.starts_with(way)) || several.is_some_and(|all| all.contains(way))
    };
    match key {
        "PasswordAuthentication" => value == "no" && uses("password"),
        "KbdInteractiveAuthentication" => value == "no" && uses("keyboard-interactive"),
        "PermitRootLogin" if login == "root" => match value {
            "yes" => false,
            "prohibit-password" => {
                method != Some("publickey") || uses("password") || uses("keyboard-interactive")
            }
            _ => true,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(method: Option<&str>, login: &str, there: &[(&str, &str)]) -> String {
        let set = [
            ("KbdInteractiveAuthentication", "no"),
            ("PasswordAuthentication", "no"),
            ("PermitRootLogin", "prohibit-password"),
        ];
        let map = |of: &[(&str, &str)]| of.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        match decide(&Sshd { set: map(&set) }, method, &map(there), login) {
            Decision::Change(change) => format!("{}", change.call),
            Decision::Satisfied(what) => what,
            Decision::Blocked(why) => why,
        }
    }

    #[test]
    fn the_way_by_which_this_login_came_is_never_turned_off() {
        let (kbd, password, root) = (
            "'KbdInteractiveAuthentication no'",
            "'PasswordAuthentication no'",
            "'PermitRootLogin prohibit-password'",
        );
        assert_eq!(said(Some("publickey"), "dev", &[]), format!("sshd_set {kbd} {password} {root}"));
        assert_eq!(said(Some("publickey"), "root", &[]), format!("sshd_set {kbd} {password} {root}"));
        assert_eq!(said(Some("password"), "dev", &[]), format!("sshd_set {kbd} {root}"));
        assert_eq!(said(Some("password"), "root", &[]), format!("sshd_set {kbd}"));
        assert_eq!(said(Some("keyboard-interactive/pam"), "dev", &[]), format!("sshd_set {password} {root}"));
        assert_eq!(said(None, "dev", &[]), format!("sshd_set {root}"));
        assert_eq!(
            said(None, "root", &[]),
            "sshd has its settings; not KbdInteractiveAuthentication, PasswordAuthentication and PermitRootLogin, \
             because this login of root came by a way that the host does not tell"
        );
        // Both of two that are wanted one after the other.
        let two = [("AuthenticationMethods", "publickey,keyboard-interactive")];
        assert_eq!(said(Some("publickey"), "dev", &two), format!("sshd_set {password} {root}"));
        // What is so already stays so.
        let so = [("PasswordAuthentication", "no")];
        assert_eq!(said(Some("password"), "dev", &so), format!("sshd_set {kbd} {password} {root}"));
        // And what is stricter already.
        for stricter in ["no", "forced-commands-only"] {
            let there = [("PermitRootLogin", stricter)];
            assert_eq!(said(Some("publickey"), "dev", &there), format!("sshd_set {kbd} {password}"));
        }
        let open = [("PermitRootLogin", "yes")];
        assert_eq!(said(Some("publickey"), "dev", &open), format!("sshd_set {kbd} {password} {root}"));
    }
}
