//! What the programs of components have recorded while they worked: `sinc uninstall` leaves it, and says so.

use crate::provision::catalog::Catalog;
use crate::provision::facts::{Facts, HostFacts};

/// Where something of this component's may be recorded, for the user that it was put there for.
pub(super) fn of(catalog: &Catalog, facts: &Facts, name: &str) -> Vec<String> {
    let host = &facts.host;
    let user = facts.records.user(name).unwrap_or(&host.user);
    let home = match user {
        "root" => "/root".to_owned(),
        user if user == host.user => host.home.clone(),
        user => format!("/home/{user}"),
    };
    let data = catalog.get(name).map_or(&[][..], |component| component.about.data.as_slice());
    data.iter().map(|path| path.replace("{home}", &home)).collect()
}

/// What is said of it.
pub(super) fn sentence(data: &[String], host: &HostFacts) -> Option<String> {
    let own =
        host.login == "root" || (host.login == host.user && data.iter().all(|it| it.starts_with(&host.home)));
    let sudo = if own { "" } else { "sudo " };
    let data = data.join(" ");
    (!data.is_empty())
        .then(|| format!("what was recorded stays; on the host `{sudo}rm -rf {data}` removes it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::facts;

    #[test]
    fn it_is_told_for_the_user_that_it_was_for() {
        let catalog = Catalog::load(None).unwrap();
        let seen = |login: &str, records: &str| {
            let text = format!("os debian 12 bookworm\nlogin {login}\nuser dev\nhome /home/dev\n{records}");
            facts::parse(&text, &[]).unwrap()
        };
        let ann = "record kimaki as\tann\n";
        let facts = seen("dev", ann);
        let told = |facts: &Facts, name: &str| sentence(&of(&catalog, facts, name), &facts.host);
        let line = |rm: &str| Some(format!("what was recorded stays; on the host `{rm}` removes it"));
        assert_eq!(told(&facts, "base"), None);
        assert_eq!(told(&facts, "lunaroute"), line("rm -rf /home/dev/.lunaroute"));
        assert_eq!(told(&facts, "kimaki"), line("sudo rm -rf /home/ann/.kimaki"));
        let facts = seen("root", &format!("{ann}record lunaroute as\troot\n"));
        assert_eq!(told(&facts, "kimaki"), line("rm -rf /home/ann/.kimaki"));
        assert_eq!(told(&facts, "lunaroute"), line("rm -rf /root/.lunaroute"));
    }
}
