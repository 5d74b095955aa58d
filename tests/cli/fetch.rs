//! A Mutagen that is missing is fetched when the person wants it, checked, and used at once.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;

use sinc::process::quote;

use crate::support::PATIENCE;
use crate::support::e2e::have;
use crate::support::sandbox::{CONFIG, Run, Sandbox};
use crate::support::terminal::Terminal;
use crate::world::World;

/// A computer without a Mutagen, but with what fetches one.
#[track_caller]
fn without_mutagen() -> Option<World> {
    if !have(&["curl", "tar", "gzip", "tmux"]) {
        return None;
    }
    let world = World::new();
    let bin = world.sandbox.bin();
    std::fs::create_dir(world.sandbox.root().join("elsewhere")).unwrap();
    std::fs::rename(bin.join("mutagen"), elsewhere(&world)).unwrap();
    for tool in ["curl", "tar", "gzip"] {
        std::os::unix::fs::symlink(which::which(tool).unwrap(), bin.join(tool)).unwrap();
    }
    Some(world)
}

/// Where the pretended Mutagen lies, which the program in an archive leads to.
fn elsewhere(world: &World) -> PathBuf {
    world.sandbox.root().join("elsewhere/mutagen")
}

/// The archive of a release.
#[derive(Debug)]
struct Archive {
    bytes: Vec<u8>,
    path: PathBuf,
}

impl Archive {
    /// As Mutagen's are: a program, which is the pretended one, and its agents, of some size.
    #[track_caller]
    fn of(world: &World) -> Self {
        let program = format!("#!/bin/sh\nexec '{}' \"$@\"\n", elsewhere(world).display());
        let files = world.sandbox.write_program("release/mutagen", &program).with_file_name("");
        let noise = |n: u32| (n.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0];
        std::fs::write(files.join("mutagen-agents.tar.gz"), (0..300_000).map(noise).collect::<Vec<_>>())
            .unwrap();
        let path = world.sandbox.root().join("release.tar.gz");
        let words = ["-C", files.to_str().unwrap(), "-czf", path.to_str().unwrap()];
        drop(
            world.sandbox.run("tar", &[&words[..], &["mutagen", "mutagen-agents.tar.gz"]].concat()).success(),
        );
        Self { bytes: std::fs::read(&path).unwrap(), path }
    }

    fn sum(&self) -> String {
        use sha2::{Digest, Sha256};
        hex::encode(Sha256::digest(&self.bytes))
    }
}

/// Answers one request with these bytes and closes the connection; the address of what it serves.
#[track_caller]
fn serve(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let mut request = Vec::new();
        let mut piece = [0; 1024];
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read(&mut piece) {
                Ok(n @ 1..) => request.extend_from_slice(&piece[..n]),
                _ => return,
            }
        }
        // A client that has heard enough hangs up.
        let _ = stream.write_all(&answer);
    });
    format!("http://{address}/mutagen.tar.gz")
}

/// An answer of HTTP with this body, of which `length` is promised.
fn ok(body: &[u8], length: usize) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// Has the configuration name an archive and its sum.
fn configure(world: &World, url: &str, sum: &str) {
    let config = world.sandbox.read(CONFIG);
    let config = config.split("\n[mutagen]").next().unwrap();
    let text = format!("{config}\n[mutagen]\nurl = \"{url}\"\nsha256 = \"{sum}\"\n");
    world.sandbox.configure(text);
}

/// Nothing was installed, and nothing of the attempt is left.
#[track_caller]
fn nothing_left(world: &World, run: &Run) {
    assert_eq!(world.calls(), "", "{run}");
    let data = world.sandbox.home().join(".local/share/sinc");
    let left = if data.exists() { crate::world::tree(&data) } else { std::collections::BTreeMap::new() };
    assert!(left.is_empty(), "{left:?}\n{run}");
}

#[test]
fn yes_on_a_terminal_fetches_it_and_goes_on_with_it() {
    let Some(world) = without_mutagen() else { return };
    let archive = Archive::of(&world);
    let url = serve(ok(&archive.bytes, archive.bytes.len()));
    configure(&world, &url, &archive.sum());
    let terminal = Terminal::sinc(&world.sandbox, &world.project(), &["--no-attach"]);
    let record = terminal.record();
    terminal.wait_for("Fetch it?", PATIENCE);
    assert!(terminal.screen().contains(&url), "{}", terminal.screen());
    terminal.type_line("y");
    assert_eq!(terminal.wait_exit(PATIENCE), 0, "{}", terminal.history());
    let history = terminal.history();
    assert!(history.contains("   Fetched Mutagen 0.18.1\n"), "{history}");
    assert!(history.contains("    Synced 3 files"), "{history}");
    // How far it was has been on the screen.
    let live = String::from_utf8_lossy(&std::fs::read(record).unwrap()).into_owned();
    assert!(live.contains("Fetching") && live.contains("(100 %)"), "{live:?}");
    let data = world.sandbox.home().join(".local/share/sinc");
    let bin: Vec<_> = crate::world::tree(&data.join("bin")).into_keys().collect();
    assert_eq!(bin, ["mutagen", "mutagen-agents.tar.gz"].map(|name| data.join("bin").join(name)));
    // From now on it is there.
    let run = world.sinc(&["--no-attach"]).success();
    assert!(!run.stderr.contains("etch"), "{run}");
}

#[test]
fn no_on_a_terminal_fetches_nothing() {
    let Some(world) = without_mutagen() else { return };
    let terminal = Terminal::sinc(&world.sandbox, &world.project(), &["--no-attach"]);
    terminal.wait_for("Fetch it?", PATIENCE);
    let screen = terminal.screen();
    assert!(screen.contains("https://github.com/mutagen-io/mutagen/releases/download/v0.18.1/"), "{screen}");
    terminal.type_line("n");
    assert_eq!(terminal.wait_exit(PATIENCE), 69);
    assert_eq!(world.calls(), "");
}

#[test]
fn ctrl_c_at_a_question_gives_the_cursor_back() {
    let Some(world) = without_mutagen() else { return };
    // In the person's shell, which stays: tmux hides the cursor of a program that has ended.
    let sinc = format!(
        "{} --no-attach; echo ended with $?; read line",
        quote::posix(Sandbox::binary().to_str().unwrap())
    );
    let terminal = Terminal::open(&world.sandbox, &world.project(), &["sh", "-c", &sinc]);
    terminal.wait_for("Fetch it?", PATIENCE);
    assert_eq!(terminal.cursor(), "0", "a question hides it");
    terminal.type_keys(&["C-c"]);
    terminal.wait_for("ended with 130", PATIENCE);
    assert_eq!(terminal.cursor(), "1");
}

#[test]
fn an_archive_with_another_sum_is_thrown_away() {
    let Some(world) = without_mutagen() else { return };
    let archive = Archive::of(&world);
    let wrong = "00".repeat(32);
    configure(&world, &format!("file://{}", archive.path.display()), &wrong);
    let run = world.sinc(&["--no-attach", "--yes"]).exits(1);
    nothing_left(&world, &run);
    let said = world.normal(&run.stderr.replace(&archive.sum(), "[sum]").replace(&wrong, "[wrong sum]"));
    insta::assert_snapshot!(said, @"
               Mutagen syncs the files, and is not on this computer; sinc can fetch 0.18.1
               from file://$ROOT/release.tar.gz
               to   $HOME/.local/share/sinc/bin/mutagen
    error: `file://$ROOT/release.tar.gz` is not what it should be, and was thrown away
      expected SHA-256 [wrong sum]
      found SHA-256    [sum]

    hint: another address and its sum: `mutagen.url` and `mutagen.sha256` in the config
    ");
    // The right one will do.
    configure(&world, &format!("file://{}", archive.path.display()), &archive.sum());
    drop(world.sinc(&["--no-attach", "--yes"]).success());
}

#[test]
fn the_releases_own_sum_counts_where_nothing_else_is_configured() {
    let Some(world) = without_mutagen() else { return };
    // A curl that brings something else.
    std::fs::remove_file(world.sandbox.bin().join("curl")).unwrap();
    world.sandbox.write_program(world.sandbox.bin().join("curl"), "#!/bin/sh\necho evil\n");
    let run = world.sinc(&["--no-attach", "--yes"]).exits(1);
    assert!(run.stderr.contains("is not what it should be, and was thrown away"), "{run}");
    nothing_left(&world, &run);
}

#[test]
fn a_download_that_breaks_off_or_is_refused_leaves_nothing() {
    let Some(world) = without_mutagen() else { return };
    let archive = Archive::of(&world);
    let half = &archive.bytes[..archive.bytes.len() / 2];
    let short = |head: &str| format!("{head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into_bytes();
    let file = archive.path.display();
    for (answer, said) in [
        // The connection ends too soon.
        (ok(half, archive.bytes.len()), "curl: (18)"),
        (short("HTTP/1.1 404 Not Found"), "curl: (22)"),
        // A file of this computer is nothing that a server may name.
        (short(&format!("HTTP/1.1 302 Found\r\nLocation: file://{file}")), "curl: (1)"),
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), "curl: (1)"),
    ] {
        configure(&world, &serve(answer), &archive.sum());
        let run = world.sinc(&["--no-attach", "--yes"]).exits(69);
        nothing_left(&world, &run);
        let from = "error: could not download Mutagen from http://127.0.0.1:";
        assert!(run.stderr.contains(from) && !run.stderr.contains("--fail"), "{run}");
        assert!(run.stderr.contains(&format!("/mutagen.tar.gz: {said}")), "{run}");
        assert!(run.stderr.contains("hint: another address and its sum: `mutagen.url`"), "{run}");
        assert!(run.stderr.contains("hint: or install it yourself: https://mutagen.io/"), "{run}");
    }
    // Nobody there at all.
    configure(&world, "http://127.0.0.1:1/mutagen.tar.gz", &archive.sum());
    let run = world.sinc(&["--no-attach", "--yes"]).exits(69);
    nothing_left(&world, &run);
    assert!(run.stderr.contains("curl: (7)"), "{run}");
}

#[test]
fn an_address_and_its_sum_belong_together() {
    let Some(world) = without_mutagen() else { return };
    let mut text = String::new();
    for line in ["url = \"https://mirror.example/m.tar.gz\"", &format!("sha256 = \"{}\"", "ab".repeat(32))] {
        let host = "[host.box]\ndestination = \"dev@203.0.113.7\"\n";
        world.sandbox.configure(format!("{host}\n[mutagen]\n{line}\n"));
        let run = world.sinc(&["--no-attach", "--yes"]).exits(78);
        nothing_left(&world, &run);
        text.push_str(&world.normal(&run.stderr));
        assert_eq!(world.sinc(&["config"]).exits(78).stderr, run.stderr);
    }
    insta::assert_snapshot!(text, @r#"
    error: $HOME/.config/sinc/config.toml:5:7: an archive is only fetched with its sum: `sha256` is missing in `[mutagen]`
      |
    5 | url = "https://mirror.example/m.tar.gz"
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    error: $HOME/.config/sinc/config.toml:5:10: this is the sum of what `url` names, which is missing in `[mutagen]`
      |
    5 | sha256 = "abababababababababababababababababababababababababababababababab"
      |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
}
