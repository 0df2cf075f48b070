//! A real browser: Chromium without a window, controlled through its driver.
//!
//! ```text
//! let browser = Browser::open();                      // waits for its turn: only two tests run at a time
//! let ada = browser.page(program.url());              // a browser process with its own profile
//! let second = ada.tab(program.url());                // another tab of the same person: same profile
//! ada.write("#words", "hello").press("#words", Key::Enter).click("#ask");
//! let took = grace.eventually("grace reads it", |page| page.text("#messages").contains("hello"));
//! ```
//!
//! Every call is bounded, and fails the test if the page does not answer. A test that fails prints what each of its pages
//! showed and what its console said, and leaves a screenshot.

use std::fmt::Display;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::prelude::WebDriverResult;
use thirtyfour::{
    By, ChromiumLikeCapabilities, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver, WindowHandle,
};
use tokio::time::timeout;

use crate::runtime;
use liveness_testing::eventually;
use liveness_testing::raw_peer::PATIENCE;

pub(crate) use thirtyfour::Key;

/// How long one call may take. A call that takes longer hangs.
const CALL: Duration = PATIENCE;

/// The flags of the browsers in the tests. They turn off everything that would dial out.
const SWITCHES: [&str; 11] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1280,860",
];

/// Not throttled when it is hidden.
const AWAKE: [&str; 3] = [
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
];
/// The timers of a hidden page ring once a minute already after a second, and not only after five minutes.
const THROTTLED: [&str; 1] = ["--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/1"];

/// The driver and its browsers live as long as somebody holds the other end of this input. They are a group of processes
/// that then ends as a whole, so a test that is killed leaves nothing running. The driver's output ends with it.
const UNTIL_END_OF_INPUT: &str = r#""$0" --port=0 </dev/null & exec >&-; read -r _; kill -KILL 0"#;
/// The driver looks for a free port and takes it later. It ends if another program has taken the port meanwhile.
const STARTS: usize = 5;

/// Two tests run at a time, however many threads there are. They mostly wait, but each has several pages, and a busy
/// machine would disturb their times.
const TURNS: usize = 2;
static TAKEN: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

struct Turn;

impl Turn {
    fn take() -> Self {
        let mut taken = lock(&TAKEN.0);
        while *taken >= TURNS {
            taken = TAKEN.1.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *lock(&TAKEN.0) -= 1;
        TAKEN.1.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A driver, and the folder of its profiles.
pub(crate) struct Browser {
    driver: Child,
    url: String,
    profiles: TempDir,
    opened: Mutex<usize>,
    _turn: Option<Turn>,
}

impl Browser {
    pub(crate) fn open() -> Self {
        Self::start(Some(Turn::take()))
    }

    /// A browser that does not wait for its turn: for tests that take minutes, and do nothing most of the time.
    pub(crate) fn beside() -> Self {
        Self::start(None)
    }

    fn start(turn: Option<Turn>) -> Self {
        let (driver, port) = (0..STARTS).find_map(|_| start_driver()).expect("chromedriver starts");
        let profiles = tempfile::Builder::new().prefix("liveness-browser-").tempdir().unwrap();
        Self { driver, url: format!("http://127.0.0.1:{port}"), profiles, opened: Mutex::new(0), _turn: turn }
    }

    /// Opens a page in its own browser process, so that stopping it stops no other page.
    #[track_caller]
    pub(crate) fn page(&self, url: impl Display) -> Page {
        self.page_with(&AWAKE, url)
    }

    /// The same, but throttled like the browsers of people, and sooner.
    #[track_caller]
    pub(crate) fn page_throttled(&self, url: impl Display) -> Page {
        self.page_with(&THROTTLED, url)
    }

    #[track_caller]
    fn page_with(&self, switches: &[&str], url: impl Display) -> Page {
        let profile = {
            let mut opened = lock(&self.opened);
            *opened += 1;
            self.profiles.path().join(opened.to_string())
        };
        let mut capabilities = DesiredCapabilities::chrome();
        let chromium = installed("chromium");
        let asked = SWITCHES.iter().chain(switches).try_for_each(|switch| capabilities.add_arg(switch));
        asked.unwrap();
        // The driver would ask for these anyway.
        let left_out = AWAKE.iter().filter(|switch| !switches.contains(switch));
        let left_out = left_out.map(|switch| switch.trim_start_matches("--"));
        left_out.for_each(|switch| capabilities.add_exclude_switch(switch).unwrap());
        capabilities.add_arg(&format!("--user-data-dir={}", profile.display())).unwrap();
        capabilities.set_binary(&chromium.display().to_string()).unwrap();
        capabilities.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
        let opening = within(3 * CALL, WebDriver::new(&self.url, capabilities));
        let driver = opening.expect("chromium starts in time").expect("chromium starts");
        let window = runtime().block_on(driver.window()).unwrap();
        let session =
            Session { driver, profile, current: Mutex::new(window.clone()), stopped: Mutex::new(false) };
        let page = Page { session: Arc::new(session), window };
        page.goto(url);
        page
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        end(&mut self.driver);
    }
}

/// The driver and its port; `None` if it ended at once.
fn start_driver() -> Option<(Child, String)> {
    let chromedriver = installed("chromedriver");
    let mut command = Command::new("sh");
    command.args(["-c", UNTIL_END_OF_INPUT, &chromedriver.display().to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let mut driver = command.spawn().unwrap();
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let started = |line: &String| line.contains("started successfully on port");
    let Some(line) = lines.by_ref().map_while(Result::ok).find(started) else {
        end(&mut driver);
        return None;
    };
    let port = line.split_whitespace().last().unwrap().trim_end_matches('.').to_owned();
    // It blocks if nobody reads its output.
    thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    Some((driver, port))
}

fn end(driver: &mut Child) {
    drop(driver.stdin.take());
    let _ = driver.wait();
}

/// The result, if it comes in time.
fn within<T>(bound: Duration, wanted: impl Future<Output = T>) -> Option<T> {
    // The timer belongs to the runtime, so it must be made inside.
    runtime().block_on(async { timeout(bound, wanted).await.ok() })
}

/// Finds a program that these tests need.
fn installed(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!("no {name} here: the browser tests need `apt-get install chromium chromium-driver`")
    })
}

/// A process in the system's list.
struct Process {
    id: Pid,
    parent: Option<Pid>,
    line: String,
}

fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").expect("a list of the processes").map_while(Result::ok);
    entries.filter_map(|entry| process(&entry.path())).collect()
}

fn process(folder: &Path) -> Option<Process> {
    let id = Pid::from_raw(folder.file_name()?.to_str()?.parse().ok()?)?;
    let line = fs::read(folder.join("cmdline")).ok()?;
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    // `ID (NAME) STATE PARENT ...`. The name may hold anything.
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
    Some(Process { id, parent: Pid::from_raw(parent), line })
}

/// A browser process with one or more windows.
struct Session {
    driver: WebDriver,
    profile: PathBuf,
    current: Mutex<WindowHandle>,
    stopped: Mutex<bool>,
}

impl Session {
    /// The processes of its pages. There are one or more, and the browser decides which page is in which.
    fn renderers(&self) -> Vec<Pid> {
        let profile = format!("--user-data-dir={}", self.profile.display());
        let all = processes();
        let is_main =
            |process: &&Process| process.line.contains(&profile) && !process.line.contains("--type=");
        let Some(main) = all.iter().find(is_main) else { return Vec::new() };
        let is_below = |process: &&Process| {
            let mut above = process.parent;
            while let Some(id) = above {
                if id == main.id {
                    return true;
                }
                above = all.iter().find(|process| process.id == id).and_then(|process| process.parent);
            }
            false
        };
        let renderers = all.iter().filter(|process| process.line.contains("--type=renderer"));
        renderers.filter(is_below).map(|process| process.id).collect()
    }

    fn signal(&self, signal: Signal) {
        for renderer in self.renderers() {
            // A process that has just ended needs no signal.
            let _ = kill_process(renderer, signal);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if *lock(&self.stopped) {
            self.signal(Signal::CONT);
        }
        let _ = within(CALL, self.driver.clone().quit());
    }
}

/// A page in a window.
pub(crate) struct Page {
    session: Arc<Session>,
    window: WindowHandle,
}

impl Page {
    /// One call to the browser, in this page's window, within the bound.
    #[track_caller]
    fn call<T>(&self, what: &str, call: impl AsyncFnOnce(&WebDriver) -> WebDriverResult<T>) -> T {
        match self.try_call(call) {
            Ok(value) => value,
            Err(why) => panic!("{what}: {why}"),
        }
    }

    fn try_call<T>(&self, call: impl AsyncFnOnce(&WebDriver) -> WebDriverResult<T>) -> Result<T, String> {
        let mut current = lock(&self.session.current);
        let driver = &self.session.driver;
        let whole = async {
            if *current != self.window {
                driver.switch_to_window(self.window.clone()).await?;
                *current = self.window.clone();
            }
            call(driver).await
        };
        let answer = runtime().block_on(async { timeout(CALL, whole).await });
        answer
            .map_err(|_| format!("the page does not answer for {CALL:?}"))?
            .map_err(|error| error.to_string())
    }

    #[track_caller]
    fn command(&self, method: &str, parameters: Value) -> Value {
        self.call(method, async |driver| driver.cdp().send_raw(method, parameters).await)
    }

    /// Opens another tab of the same person. It shares cookies and storage with this one, and perhaps its process.
    #[track_caller]
    pub(crate) fn tab(&self, url: impl Display) -> Self {
        let window = self.call("a new tab", async |driver| driver.new_tab().await);
        let tab = Self { session: Arc::clone(&self.session), window };
        tab.goto(url);
        tab
    }

    #[track_caller]
    pub(crate) fn goto(&self, url: impl Display) -> &Self {
        self.call("going there", async |driver| driver.goto(url.to_string()).await);
        self
    }

    #[track_caller]
    pub(crate) fn reload(&self) -> &Self {
        self.call("reloading", async |driver| driver.refresh().await);
        self
    }

    /// Loads it again in a browser that keeps nothing for a page. Then the names of its storage throw.
    #[track_caller]
    pub(crate) fn keeps_nothing(&self) -> &Self {
        let source = "for (const kind of ['localStorage', 'sessionStorage'])
            Object.defineProperty(window, kind, { get() { throw new DOMException('denied', 'SecurityError'); } });";
        self.command("Page.addScriptToEvaluateOnNewDocument", json!({ "source": source }));
        self.reload()
    }

    /// Closes the window as its user would.
    #[track_caller]
    pub(crate) fn close(self) {
        self.call("closing", async |driver| driver.close_window().await);
    }

    /// The text of the first element that matches, as a reader sees it; empty if none matches.
    #[track_caller]
    pub(crate) fn text(&self, css: &str) -> String {
        let text =
            self.eval_with("return document.querySelector(arguments[0])?.innerText ?? '';", &[json!(css)]);
        text.as_str().unwrap().trim().to_owned()
    }

    /// The text of each element that matches.
    #[track_caller]
    pub(crate) fn texts(&self, css: &str) -> Vec<String> {
        let script =
            "return [...document.querySelectorAll(arguments[0])].map(found => found.innerText.trim());";
        let texts = self.eval_with(script, &[json!(css)]);
        texts.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    /// The content of a field.
    #[track_caller]
    pub(crate) fn value(&self, css: &str) -> String {
        let value =
            self.eval_with("return document.querySelector(arguments[0])?.value ?? '';", &[json!(css)]);
        value.as_str().unwrap().to_owned()
    }

    /// An attribute of the first element that matches, such as its `data-state`.
    #[track_caller]
    pub(crate) fn attribute(&self, css: &str, name: &str) -> Option<String> {
        let script = "return document.querySelector(arguments[0])?.getAttribute(arguments[1]) ?? null;";
        self.eval_with(script, &[json!(css), json!(name)]).as_str().map(str::to_owned)
    }

    /// Clicks like a mouse, so a hidden or covered element cannot be clicked.
    #[track_caller]
    pub(crate) fn click(&self, css: &str) -> &Self {
        self.call(&format!("clicking {css}"), async |driver| driver.find(By::Css(css)).await?.click().await);
        self
    }

    /// Types at the end of the field, key by key.
    #[track_caller]
    pub(crate) fn write(&self, css: &str, words: &str) -> &Self {
        let what = format!("writing into {css}");
        self.call(&what, async |driver| driver.find(By::Css(css)).await?.send_keys(words).await);
        self
    }

    /// Empties a field.
    #[track_caller]
    pub(crate) fn clear(&self, css: &str) -> &Self {
        self.call(&format!("emptying {css}"), async |driver| driver.find(By::Css(css)).await?.clear().await);
        self
    }

    #[track_caller]
    pub(crate) fn press(&self, css: &str, key: Key) -> &Self {
        let what = format!("pressing a key in {css}");
        self.call(&what, async |driver| driver.find(By::Css(css)).await?.send_keys(key + "").await);
        self
    }

    /// Runs the body of a function in the page; `return` gives its value.
    #[track_caller]
    pub(crate) fn eval(&self, script: &str) -> Value {
        self.eval_with(script, &[])
    }

    #[track_caller]
    fn eval_with(&self, script: &str, arguments: &[Value]) -> Value {
        self.call(script, async |driver| {
            let answer = driver.execute(script.to_owned(), arguments.to_vec()).await?;
            Ok(answer.json().clone())
        })
    }

    /// Waits until the condition holds, and returns how long it took.
    #[track_caller]
    pub(crate) fn eventually(&self, what: &str, mut so: impl FnMut(&Self) -> bool) -> Duration {
        eventually(what, || so(self))
    }

    /// What its console has said since the last call.
    pub(crate) fn console(&self) -> Vec<String> {
        let log = self.try_call(async |driver| driver.browser_log().await).unwrap_or_default();
        log.into_iter().map(|entry| format!("{} {}", entry.level, entry.message)).collect()
    }

    /// Leaves a screenshot in `target/screenshots/NAME.png`.
    #[track_caller]
    pub(crate) fn screenshot(&self, name: &str) -> &Self {
        let picture = self.call("a screenshot", async |driver| driver.screenshot_as_png().await);
        let folder = crate::target().join("screenshots");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.png")), picture).unwrap();
        self
    }

    /// Leaves screenshots in light, dark, and as on a phone (light and dark): `NAME.png`, `NAME-dark.png`,
    /// `NAME-phone.png`, `NAME-phone-dark.png`. Checks that the page breaks no rule of axe-core, in light and in dark.
    #[track_caller]
    pub(crate) fn screenshots(&self, name: &str) -> &Self {
        self.light().screenshot(name).assert_accessible(name);
        self.dark().screenshot(&format!("{name}-dark")).assert_accessible(name);
        self.phone().screenshot(&format!("{name}-phone-dark")).light().screenshot(&format!("{name}-phone"));
        self.desktop()
    }

    /// Runs axe-core, if it is installed (`.ci/run` installs it).
    #[track_caller]
    pub(crate) fn assert_accessible(&self, name: &str) -> &Self {
        let axe =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/interop/node_modules/axe-core/axe.min.js");
        let Ok(axe) = fs::read_to_string(axe) else {
            assert!(std::env::var_os("LIVENESS_INTEROP").is_none(), "axe-core is needed in target/interop");
            return self;
        };
        self.eval(&axe);
        self.eval("globalThis.found = null; axe.run().then(({ violations }) => { found = violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]); });");
        self.eventually("axe has looked", |page| page.eval("return globalThis.found !== null;") == true);
        assert_eq!(self.eval("return found;"), json!([]), "{name}");
        self
    }

    #[track_caller]
    pub(crate) fn dark(&self) -> &Self {
        self.prefer("prefers-color-scheme", "dark")
    }

    #[track_caller]
    pub(crate) fn light(&self) -> &Self {
        self.prefer("prefers-color-scheme", "light")
    }

    #[track_caller]
    fn prefer(&self, name: &str, value: &str) -> &Self {
        let features = json!({ "features": [{ "name": name, "value": value }] });
        self.command("Emulation.setEmulatedMedia", features);
        self
    }

    #[track_caller]
    pub(crate) fn phone(&self) -> &Self {
        self.handheld(390, 844)
    }

    /// A phone that lies on its side.
    #[track_caller]
    pub(crate) fn low_phone(&self) -> &Self {
        self.handheld(844, 390)
    }

    #[track_caller]
    fn handheld(&self, width: u32, height: u32) -> &Self {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 2, "mobile": true });
        self.command("Emulation.setDeviceMetricsOverride", metrics);
        self
    }

    #[track_caller]
    pub(crate) fn desktop(&self) -> &Self {
        self.command("Emulation.clearDeviceMetricsOverride", json!({}));
        self
    }

    /// Where what fits begins in the page, in a window and on a phone.
    #[track_caller]
    pub(crate) fn tops(&self, css: &str) -> [Value; 2] {
        let script = "return [...document.querySelectorAll(arguments[0])].map(found =>
            found.getBoundingClientRect().top + scrollY);";
        let window = self.eval_with(script, &[json!(css)]);
        let phone = self.phone().eval_with(script, &[json!(css)]);
        self.desktop();
        [window, phone]
    }

    /// Freezes the page as a browser freezes a tab that nobody has looked at for minutes. None of its timers runs, and no
    /// message reaches it. Its socket stays open, and the browser answers pings for it. Its content can still be read. On
    /// waking it finds its socket closed.
    #[track_caller]
    pub(crate) fn freeze(&self) -> &Self {
        self.command("Page.setWebLifecycleState", json!({ "state": "frozen" }));
        self
    }

    #[track_caller]
    pub(crate) fn thaw(&self) -> &Self {
        self.command("Page.setWebLifecycleState", json!({ "state": "active" }));
        self
    }

    /// The browser tells the page about another network (`navigator.connection`), and about nothing else.
    #[track_caller]
    pub(crate) fn change_network(&self) -> &Self {
        let cellular = json!({
            "offline": false, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 100_000,
            "connectionType": "cellular3g",
        });
        self.command("Network.enable", json!({}));
        self.command("Network.emulateNetworkConditions", cellular);
        self
    }

    /// Stops the processes of this browser's pages (SIGSTOP), and so all its tabs. Calls to a stopped page hang until it
    /// goes on, and fail after a while. The browser's own process lives on. It answers pings for the page, and keeps what
    /// arrives for it.
    #[track_caller]
    pub(crate) fn stop(&self) -> &Self {
        *lock(&self.session.stopped) = true;
        assert!(!self.session.renderers().is_empty(), "no process to stop");
        self.session.signal(Signal::STOP);
        self
    }

    pub(crate) fn go_on(&self) -> &Self {
        self.session.signal(Signal::CONT);
        *lock(&self.session.stopped) = false;
        self
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        if *lock(&self.session.stopped) {
            self.go_on();
        }
        let look = self.try_call(async |driver| {
            let shown =
                driver.execute("return [location.href, document.body.innerText];", Vec::new()).await?;
            Ok((shown.json().clone(), driver.screenshot_as_png().await?))
        });
        match look {
            Ok((shown, picture)) => {
                let name =
                    format!("failed-{}", thread::current().name().unwrap_or("test").replace("::", "-"));
                let path = crate::target().join("screenshots").join(format!("{name}-{}.png", self.window));
                let _ = fs::create_dir_all(path.parent().unwrap_or(Path::new(".")));
                let _ = fs::write(&path, picture);
                let line = |index: usize| shown[index].as_str().unwrap_or("").to_owned();
                println!("{} showed ({}):\n{}", line(0), path.display(), line(1));
            }
            Err(why) => println!("a page does not say what it showed: {why}"),
        }
        println!("its console:\n{}", self.console().join("\n"));
    }
}
