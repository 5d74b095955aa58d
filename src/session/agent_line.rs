//! The line that the pane's login shell runs: the agent.

use super::scripts::AGENT_CHECK;
use crate::config::Agent;
use crate::process::quote::universal;

/// The line for this agent. It holds nothing that sh, bash, zsh, dash, fish and tcsh read differently, but for the
/// person's own command, which is in the language of their own shell.
#[must_use]
pub fn agent_line(agent: &Agent) -> String {
    match &agent.install {
        // A command of the person's own may be an alias or a function: only their shell can tell.
        Some(install) if !agent.custom => {
            let check = universal(AGENT_CHECK.line());
            let (program, install) = (universal(&agent.command), universal(install));
            format!("sh -c {check} sinc {program} {install} && {}", agent.command)
        }
        _ => agent.command.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Origin;

    #[test]
    fn an_agent_of_ours_is_looked_for_first() {
        let agent = Agent {
            name: "claude".into(),
            command: "claude".into(),
            install: Some("npm install -g x"),
            custom: false,
            origin: Origin::Default,
        };
        let line = agent_line(&agent);
        assert!(line.starts_with("sh -c 'command -v \"$1\""), "{line}");
        assert!(line.ends_with("sinc 'claude' 'npm install -g x' && claude"), "{line}");
    }

    #[test]
    fn a_command_of_the_persons_own_is_left_to_their_shell() {
        let agent = Agent {
            name: "mine".into(),
            command: "oc --fast".into(),
            install: None,
            custom: true,
            origin: Origin::Default,
        };
        assert_eq!(agent_line(&agent), "oc --fast");
    }
}
