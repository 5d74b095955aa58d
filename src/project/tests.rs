use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde::Deserialize;
use tempfile::TempDir;

use super::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    path: Vec<Vector>,
    separate: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    case: String,
    machine: Option<String>,
    path: String,
    id: String,
}

#[test]
fn session_ids_never_change() {
    let vectors: Vectors = toml::from_str(include_str!("../../tests/data/session-ids.toml")).unwrap();
    assert!(vectors.path.len() >= 24);
    for vector in &vectors.path {
        assert_eq!(session_id(&vector.path).as_str(), vector.id, "{}", vector.case);
    }
    for vector in &vectors.separate {
        let machine = vector.machine.as_deref().unwrap();
        assert_eq!(separate_session_id(machine, &vector.path).as_str(), vector.id, "{}", vector.case);
    }
    for vector in vectors.path.iter().chain(&vectors.separate) {
        assert_eq!(SessionId::parse(&vector.id).unwrap().as_str(), vector.id, "{}", vector.case);
    }
}

#[test]
fn only_harmless_words_are_session_ids() {
    for good in ["a", "sinc-app-0a1b2c", "s9"] {
        assert!(SessionId::parse(good).is_ok(), "{good}");
    }
    let long = "a".repeat(64);
    for bad in ["", "9a", "-a", "a-", "A", "a_b", "a.b", "a b", "a\n", "é", "a;b", "=a", "a*", "a/b", &long]
    {
        assert!(SessionId::parse(bad).is_err(), "{bad}");
    }
    assert!(serde_json::from_str::<SessionId>("\"../x\"").is_err());
    assert_eq!(serde_json::to_string(&SessionId::parse("sinc-a-1").unwrap()).unwrap(), "\"sinc-a-1\"");
}

/// A home with directories in it, and the sessions that are known.
struct World {
    dir: TempDir,
    sessions: Vec<(SessionId, PathBuf)>,
}

impl World {
    fn new(dirs: &[&str]) -> World {
        let dir = tempfile::tempdir().unwrap();
        for name in ["home", "tmp"].iter().chain(dirs) {
            std::fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        World { dir, sessions: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    fn session(mut self, id: &str, root: &str) -> World {
        let root = self.path(root);
        self.sessions.push((SessionId::parse(id).unwrap(), root));
        self
    }

    fn mark(self, name: &str) -> World {
        std::fs::write(self.path(name).join(PROJECT_FILE), "").unwrap();
        self
    }

    fn find(&self, cwd: &str) -> Result<Found, ProjectError> {
        self.find_with(&self.path(cwd), false)
    }

    fn find_with(&self, cwd: &Path, force: bool) -> Result<Found, ProjectError> {
        find(cwd, &self.sessions, &self.path("home"), &self.path("tmp"), force)
    }
}

#[test]
fn a_directory_is_its_own_project() {
    let world = World::new(&["home/my app"]);
    let found = world.find("home/my app").unwrap();
    let root = world.path("home/my app");
    let id = session_id(root.to_str().unwrap());
    assert_eq!(found.project, Project { root, name: "my app".to_owned(), id });
    assert_eq!(found.asked_from, None);
}

#[test]
fn a_link_and_the_directory_are_one_project() {
    let world = World::new(&["home/app/src"]);
    std::os::unix::fs::symlink(world.path("home/app"), world.path("home/link")).unwrap();
    assert_eq!(world.find("home/link").unwrap(), world.find("home/app").unwrap());
    assert_eq!(world.find("home/app/src/..").unwrap(), world.find("home/app").unwrap());
}

#[test]
fn a_project_file_above_makes_that_the_project() {
    let world = World::new(&["home/app/src/deep"]).mark("home/app");
    let found = world.find("home/app/src/deep").unwrap();
    assert_eq!(found.project.root, world.path("home/app"));
    assert_eq!(found.asked_from, Some(world.path("home/app/src/deep")));
}

#[test]
fn the_nearest_project_file_counts() {
    let world = World::new(&["home/app/part/src"]).mark("home/app").mark("home/app/part");
    assert_eq!(world.find("home/app/part/src").unwrap().project.root, world.path("home/app/part"));
}

#[test]
fn a_project_file_may_be_a_link_but_not_a_directory() {
    let world = World::new(&["home/app/src", "home/other/src", "home/other/.sinc.toml"]);
    std::os::unix::fs::symlink("nowhere", world.path("home/app/.sinc.toml")).unwrap();
    assert_eq!(world.find("home/app/src").unwrap().project.root, world.path("home/app"));
    assert_eq!(world.find("home/other/src").unwrap().project.root, world.path("home/other/src"));
}

#[test]
fn a_project_file_in_a_refused_directory_does_not_count() {
    let world = World::new(&["home/app", "tmp/app"]).mark("home").mark("tmp");
    assert_eq!(world.find("home/app").unwrap().project.root, world.path("home/app"));
    assert_eq!(world.find("tmp/app").unwrap().project.root, world.path("tmp/app"));
}

#[test]
fn a_known_session_above_is_the_project_with_the_id_it_has() {
    let world = World::new(&["home/app/src"]).session("sinc-app-separate", "home/app");
    let found = world.find("home/app/src").unwrap();
    assert_eq!(found.project.id.as_str(), "sinc-app-separate");
    assert_eq!(found.asked_from, Some(world.path("home/app/src")));
    assert_eq!(world.find("home/app").unwrap().project, found.project);
}

#[test]
fn a_project_inside_a_session_is_refused_and_names_it() {
    let world = World::new(&["home/app/part"]).mark("home/app/part").session("sinc-outer", "home/app");
    for force in [false, true] {
        let error = world.find_with(&world.path("home/app/part"), force).unwrap_err();
        assert!(
            matches!(&error, ProjectError::InsideSession { id, .. } if id.as_str() == "sinc-outer"),
            "{error}"
        );
    }
}

#[test]
fn a_project_that_contains_a_session_is_refused_and_names_it() {
    let world = World::new(&["home/work/app", "home/work/other"]).session("sinc-inner", "home/work/app");
    for force in [false, true] {
        let error = world.find_with(&world.path("home/work"), force).unwrap_err();
        assert!(
            matches!(&error, ProjectError::ContainsSession { id, .. } if id.as_str() == "sinc-inner"),
            "{error}"
        );
    }
    assert!(world.find("home/work/other").is_ok());
}

#[test]
fn names_that_only_begin_alike_are_not_inside() {
    let world = World::new(&["home/app", "home/app-2"]).session("sinc-app", "home/app");
    assert_eq!(world.find("home/app-2").unwrap().project.root, world.path("home/app-2"));
}

#[test]
fn refused_directories_need_force_once() {
    let world = World::new(&[]);
    let error = world.find("home").unwrap_err();
    assert!(matches!(error, ProjectError::RefusedDirectory { .. }), "{error}");
    assert!(
        error
            .to_string()
            .ends_with("it is your home directory, with your keys and every other project in it")
    );
    assert!(world.find("tmp").is_err());
    assert!(world.find_with(Path::new("/"), false).is_err());
    let found = world.find_with(&world.path("home"), true).unwrap();
    let world = world.session(found.project.id.as_str(), "home");
    assert_eq!(world.find("home").unwrap(), found, "a session that exists is found without force");
}

#[test]
fn the_root_of_the_computer_has_a_name_when_forced() {
    let world = World::new(&[]);
    let found = world.find_with(Path::new("/"), true).unwrap();
    assert_eq!(found.project.name, "project");
    assert_eq!(found.project.id, session_id("/"));
}

#[test]
fn paths_that_cannot_be_carried_are_refused_always() {
    let world = World::new(&["home/a\nb", "home/a\tb/c"]);
    let fault = |path: &Path| match world.find_with(path, true).unwrap_err() {
        ProjectError::BadPath { fault, .. } => fault,
        other => panic!("{other}"),
    };
    assert_eq!(fault(&world.path("home/a\nb")), PathFault::Newline);
    assert_eq!(fault(&world.path("home/a\tb/c")), PathFault::ControlCharacter);
    let odd = world.path("home").join(OsStr::from_bytes(b"caf\xe9"));
    if std::fs::create_dir(&odd).is_ok() {
        assert_eq!(fault(&odd), PathFault::NotUtf8);
    }
    let error = world.find("home/a\nb").unwrap_err().to_string();
    assert!(error.contains("a\\nb") && !error.contains('\n'), "{error}");
}

#[test]
fn a_directory_that_is_not_there() {
    let world = World::new(&[]);
    std::fs::write(world.path("home/file"), "").unwrap();
    for name in ["home/nothing", "home/file"] {
        assert!(matches!(world.find(name), Err(ProjectError::NotADirectory { .. })), "{name}");
    }
}
