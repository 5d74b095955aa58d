//! Conflicts for people and as JSON.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::diff::{self, Diff};
use crate::commands::now;
use crate::commands::paint::{Paint, Tone, ago, harmless, utc};
use crate::listing::{Entry, Kind};
use crate::session::conflicts::Open;
use crate::tools::mutagen::Side;
use crate::ui::{bytes, plural};

/// One conflict: what, what each side has, and the difference where there is one to show.
pub(in crate::commands) fn lines(open: &Open, diff: Option<&Diff>, paint: Paint) -> Vec<String> {
    let path = harmless(&open.path.to_string_lossy());
    let mut lines = vec![format!(
        "{}  {}",
        paint.paint(Tone::Strong, &path),
        paint.paint(Tone::Careful, &open.kind.to_string())
    )];
    for side in [Side::Local, Side::Remote] {
        lines.push(format!("  {:<11}  {}", side.to_string(), has(open, side)));
    }
    match diff {
        Some(Diff::Text(text)) => {
            lines.extend(diff::lines(text, paint).into_iter().map(|line| format!("    {line}")));
        }
        Some(Diff::Same) => lines.push("    the same content; only one of them can be executed".to_owned()),
        // No texts, or more of them than are shown.
        Some(Diff::Binary) | None => {
            let digest = |side| open.at(side).and_then(|entry| entry.digest.as_deref());
            if let (Some(here), Some(there)) = (digest(Side::Local), digest(Side::Remote)) {
                for (side, digest) in [(Side::Local, here), (Side::Remote, there)] {
                    lines.push(format!("    {:<11}  sha1 {digest}", side.to_string()));
                }
            }
        }
    }
    lines
}

/// What a side has, in words.
pub(in crate::commands) fn has(open: &Open, side: Side) -> String {
    let Some(entry) = open.at(side) else { return "nothing that is synced".to_owned() };
    let when = u64::try_from(entry.mtime).unwrap_or_default();
    let when = format!("{} UTC, {}", utc(when), ago(now().saturating_sub(when)));
    match entry.kind {
        Kind::File if entry.is_executable() => format!("{}, executable, {when}", bytes(entry.size)),
        Kind::File => format!("{}, {when}", bytes(entry.size)),
        Kind::Directory => {
            let (files, size) = inside(open, side);
            format!("a directory with {}, {}, {when}", plural(files, "file", "files"), bytes(size))
        }
        Kind::Link => {
            let target = entry.target.as_ref().map(|target| target.to_string_lossy().into_owned());
            format!("a link to {}, {when}", harmless(&target.unwrap_or_default()))
        }
        Kind::Other => format!("something that is not synced, {when}"),
    }
}

fn inside(open: &Open, side: Side) -> (u64, u64) {
    let files = open.all(side).iter().filter(|(_, entry)| entry.kind == Kind::File);
    files.fold((0, 0), |(count, size), (_, entry)| (count + 1, size + entry.size))
}

/// The conflicts as docs/cli.md describes them.
pub(in crate::commands) fn json(open: &[Open], diffs: &BTreeMap<PathBuf, Diff>) -> Value {
    let side = |open: &Open, side: Side| {
        let Some(entry) = open.at(side) else { return Value::Null };
        let Entry { kind, mtime, target, digest, .. } = entry;
        let (files, size) = inside(open, side);
        json!({
            "kind": kind.word(), "size": size, "files": files, "modified": mtime, "digest": digest,
            "executable": entry.is_executable(), "target": target.as_ref().map(|target| target.to_string_lossy()),
        })
    };
    let one = |open: &Open| {
        let diff = match diffs.get(&open.path) {
            Some(Diff::Text(text)) => Some(text),
            _ => None,
        };
        json!({
            "path": open.path.to_string_lossy(), "kind": open.kind.word(), "what": open.kind.to_string(),
            "local": side(open, Side::Local), "remote": side(open, Side::Remote), "old_digest": open.old, "diff": diff,
        })
    };
    open.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::mutagen::ConflictKind;

    #[test]
    fn two_files_without_a_difference_to_show_are_told_apart_by_their_digests() {
        let file = |size, digest: &str| {
            let digest = Some(digest.to_owned());
            let entry = Entry { kind: Kind::File, size, mode: 0o644, mtime: 0, target: None, digest };
            vec![(PathBuf::from("a"), entry)]
        };
        let kind = ConflictKind::BothChanged;
        let (local, remote) = (file(1 << 20, "aa11"), file(1 << 21, "bb22"));
        let mut open = Open { path: "a".into(), kind, local, remote, old: None, named: true };
        for diff in [Some(&Diff::Binary), None] {
            let lines = lines(&open, diff, Paint::off()).join("\n");
            assert!(lines.contains("1.00 MiB") && lines.contains("2.00 MiB"), "{lines}");
            assert!(lines.contains("here         sha1 aa11\n    on the host  sha1 bb22"), "{lines}");
        }
        open.remote.clear();
        assert!(!lines(&open, None, Paint::off()).join("\n").contains("sha1"));
    }
}
