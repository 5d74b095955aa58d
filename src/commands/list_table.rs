//! The table that `sinc list` prints.

use std::path::Path;

use super::joined::Row;
use super::paint::{Paint, Tone, harmless, tilde};
use crate::session::survey::AgentState;
use crate::ui::plural;

/// The table: aligned by what is shown, not by the bytes of colours.
pub(super) fn table(rows: &[Row], home: &Path, paint: Paint) -> Vec<String> {
    let head = ["ID", "HOST", "SYNC", "TERMINAL", "AGENT", "LOCAL", "MOBILE"];
    let mut lines = vec![head.map(|name| (Tone::Quiet, name.to_owned())).to_vec()];
    lines.extend(rows.iter().map(|row| cells(row, home).to_vec()));
    // Few hosts have Agent-OS.
    if rows.iter().all(|row| row.mobile.is_none()) {
        lines.iter_mut().for_each(|cells| drop(cells.pop()));
    }
    let width = |column: usize| lines.iter().map(|cells| cells[column].1.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let mut texts = Vec::new();
    for (index, cells) in lines.iter().enumerate() {
        let mut text = String::new();
        for (column, (tone, cell)) in cells.iter().enumerate() {
            text.push_str(&paint.paint(*tone, cell));
            let space = if column + 1 < cells.len() { widths[column] + 2 - cell.chars().count() } else { 2 };
            text.push_str(&" ".repeat(space));
        }
        if let Some(row) = index.checked_sub(1).map(|index| &rows[index])
            && !row.notes.is_empty()
        {
            text.push_str(&paint.paint(Tone::Careful, &format!("({})", row.notes.join("; "))));
        }
        texts.push(text.trim_end().to_owned());
    }
    texts
}

fn cells(row: &Row, home: &Path) -> [(Tone, String); 7] {
    let sync = match (row.sync.state.as_str(), row.sync.conflicts, row.sync.problems) {
        ("unknown", _, _) => (Tone::Careful, "?".to_owned()),
        ("none", _, _) if row.sync.off => (Tone::Plain, "none (mode none)".to_owned()),
        ("none", _, _) => (Tone::Careful, "-".to_owned()),
        ("halted" | "held" | "several", _, _) => (Tone::Bad, row.sync.state.clone()),
        ("watching", 0, 0) => (Tone::Good, "watching".to_owned()),
        ("watching", 0, problems) => (Tone::Careful, plural(problems, "problem", "problems")),
        ("watching", conflicts, _) => (Tone::Careful, plural(conflicts, "conflict", "conflicts")),
        (state, _, _) => (Tone::Careful, state.to_owned()),
    };
    let terminal = match row.terminal.map(|terminal| (terminal.exists, terminal.attached)) {
        None => "?".to_owned(),
        Some((false, _)) => "-".to_owned(),
        Some((true, 0)) => "detached".to_owned(),
        Some((true, 1)) => "attached".to_owned(),
        Some((true, n)) => format!("attached {n}"),
    };
    let agent = match &row.agent {
        None => "?".to_owned(),
        Some(agent) => {
            let name = harmless(agent.name.as_deref().unwrap_or_default());
            match agent.state {
                AgentState::Running => format!("{name} running"),
                AgentState::Ended => format!("{name} ended"),
                AgentState::Missing => format!("{name} missing"),
                AgentState::None => "-".to_owned(),
            }
        }
    };
    let local = row.local.as_ref().map_or("-".to_owned(), |local| tilde(Path::new(local), home));
    let plain = |text| (Tone::Plain, text);
    [
        (Tone::Strong, row.id.clone()),
        plain(harmless(&row.host)),
        sync,
        plain(terminal),
        plain(agent),
        plain(local),
        plain(row.mobile.clone().unwrap_or_else(|| "-".to_owned())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::joined::{Orphan, SyncCell};
    use crate::commands::state_report::{AgentReport, TerminalReport};

    #[test]
    fn columns_are_aligned_and_notes_stand_at_the_end() {
        let row = |id: &str, conflicts| Row {
            id: id.into(),
            host: "box".into(),
            local: Some("/home/me/app".into()),
            remote: None,
            sync: SyncCell { state: "watching".into(), conflicts, problems: 0, held: None, off: false },
            terminal: Some(TerminalReport { exists: true, attached: 0 }),
            agent: Some(AgentReport { name: Some("claude".into()), state: AgentState::Ended }),
            mobile: None,
            orphan: None,
            others: Vec::new(),
            notes: Vec::new(),
        };
        let mut rows = vec![row("sinc-app-123456", 0), row("sinc-a-123456", 2)];
        rows.push(Row {
            local: None,
            terminal: None,
            agent: None,
            orphan: Some(Orphan::OtherComputer),
            notes: vec!["of desktop (/x)".into()],
            sync: SyncCell { state: "none".into(), conflicts: 0, problems: 0, held: None, off: false },
            ..row("sinc-b-123456", 0)
        });
        assert_eq!(
            table(&rows, Path::new("/home/me"), Paint::off()).join("\n"),
            "\
ID               HOST  SYNC         TERMINAL  AGENT         LOCAL
sinc-app-123456  box   watching     detached  claude ended  ~/app
sinc-a-123456    box   2 conflicts  detached  claude ended  ~/app
sinc-b-123456    box   -            ?         ?             -  (of desktop (/x))"
        );
        rows.truncate(2);
        rows[1].mobile = Some("http://box.ts.net:3011".to_owned());
        assert_eq!(
            table(&rows, Path::new("/home/me"), Paint::off()).join("\n"),
            "\
ID               HOST  SYNC         TERMINAL  AGENT         LOCAL  MOBILE
sinc-app-123456  box   watching     detached  claude ended  ~/app  -
sinc-a-123456    box   2 conflicts  detached  claude ended  ~/app  http://box.ts.net:3011"
        );
    }
}
