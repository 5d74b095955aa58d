//! Somebody who looks at the host's processes all the while, as any user of it can.

use super::lab::Lab;

/// Looks until it is asked what it saw.
pub(crate) struct Onlooker<'a>(&'a Lab);

impl<'a> Onlooker<'a> {
    pub(crate) fn on(lab: &'a Lab) -> Self {
        let watch =
            "rm -f /tmp/ps /tmp/ps-end; while [ ! -e /tmp/ps-end ]; do ps axww -o args >>/tmp/ps; done";
        lab.bed(&["vps", "systemd-run", "-q", "--collect", "sh", "-c", watch]);
        Self(lab)
    }

    /// The work was seen, and the secret was not: in no process, no file of the host, none here.
    #[track_caller]
    pub(crate) fn saw_no(&self, secret: &str) {
        self.0.bed(&["vps", "touch", "/tmp/ps-end"]);
        let work = self.count("grep -c /var/lib/sinc/runs /tmp/ps");
        assert!(work > 0, "the work was not seen");
        let seen = self.count(&format!("grep -cF '{secret}' /tmp/ps"));
        let files = format!("grep -rlF '{secret}' /var/lib/sinc /run/systemd /var/log 2>/dev/null | wc -l");
        assert_eq!(
            (seen, self.count(&files)),
            (0, 0),
            "the secret was seen among the processes, or in files"
        );
        let home = self.0.sandbox.home();
        let here = self.0.sandbox.run("grep", &["-rlF", secret, home.to_str().unwrap()]);
        assert_eq!(here.stdout, "", "the secret is in a file here");
    }

    fn count(&self, line: &str) -> u32 {
        self.0.bed(&["vps", "sh", "-c", &format!("{line} || true")]).trim().parse().unwrap()
    }
}
