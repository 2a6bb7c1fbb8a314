//! The local AWS backend as a process that cannot outlive its owner.

use std::env;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::gateway::Gateway;
use crate::settings::Settings;

/// The region that the backend plays; the account is its own default, all zeros.
pub(crate) const REGION: &str = "us-east-1";

/// It takes a third of a second when the machine is idle.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// The supervisor asks for 2 s, then kills; what takes longer than this is stuck in the kernel.
const STOP_PATIENCE: Duration = Duration::from_secs(15);
/// Two programs may be given the same free port; the one that loses asks for another.
const ATTEMPTS: u32 = 3;

/// A running backend. Dropping it stops it, with every function's process that it started.
#[derive(Debug)]
pub(crate) struct Backend {
    gateway: Gateway,
    log: PathBuf,
    supervisor: Child,
    /// The supervisor stops everything when this end of the pipe closes.
    lifeline: Option<ChildStdin>,
}

impl Backend {
    /// Starts the backend and waits until it is ready. The functions that it runs will find the X-Ray
    /// daemon at `daemon`.
    pub(crate) async fn start(settings: &Settings, daemon: SocketAddr) -> Result<Self> {
        fs::create_dir_all(&settings.work).map_err(|error| {
            Error::settings(format!("cannot make {}", settings.work.display())).because(error)
        })?;
        let mut attempt = 1;
        loop {
            let mut backend = Self::spawn(settings, daemon)?;
            match backend.wait_until_ready().await {
                Ok(()) => return Ok(backend),
                Err(_) if attempt < ATTEMPTS && backend.port_was_taken() => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn gateway(&self) -> Gateway {
        self.gateway
    }

    /// What the backend wrote about itself.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Stops the backend and everything that it started, and waits until they have ended.
    pub(crate) fn stop(&mut self) -> Result<()> {
        drop(self.lifeline.take());
        let deadline = Instant::now() + STOP_PATIENCE;
        loop {
            match self.supervisor.try_wait() {
                Ok(Some(_)) => return Ok(()),
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
                Ok(None) => {
                    // The backend itself then dies with its parent (`PR_SET_PDEATHSIG`).
                    let killed = self.supervisor.kill().and_then(|()| self.supervisor.wait());
                    let error = Error::backend("the local backend did not stop and was killed");
                    return Err(match killed {
                        Ok(_) => error,
                        Err(cause) => error.because(cause),
                    });
                }
                Err(error) => {
                    return Err(Error::backend("cannot wait for the local backend").because(error));
                }
            }
        }
    }

    fn spawn(settings: &Settings, daemon: SocketAddr) -> Result<Self> {
        let gateway = Gateway { port: free_port()? };
        let log = settings.work.join("ministack.log");
        let output = File::create(&log).map_err(|error| {
            Error::settings(format!("cannot write {}", log.display())).because(error)
        })?;
        let errors = output.try_clone().map_err(|error| {
            Error::settings(format!("cannot write {}", log.display())).because(error)
        })?;
        let scratch =
            settings.work.join(format!("scratch-{}-{}", std::process::id(), gateway.port));
        // Made by the processes that use them, so that one that is killed at its start leaves none.
        let home = scratch.join("home");
        let temporary = scratch.join("tmp");

        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
        let mut command = Command::new(&settings.python);
        command
            .args(["-I", "-B"])
            .arg(scripts.join("supervise.py"))
            .args(["--grace", "2", "--scratch"])
            .arg(&scratch)
            .arg("--")
            .arg(&settings.python)
            .args(["-I", "-B"])
            .arg(scripts.join("ministack_main.py"))
            .current_dir(&settings.work)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            // Nothing of the caller's environment reaches the backend or the functions: no
            // credentials, no proxies, no settings of another backend.
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()))
            .env("HOME", &home)
            .env("TMPDIR", &temporary)
            .env("S3_DATA_DIR", temporary.join("s3"))
            .env("STATE_DIR", temporary.join("state"))
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", gateway.port.to_string())
            .env("MINISTACK_HOST", "127.0.0.1")
            .env("MINISTACK_REGION", REGION)
            .env("AWS_ENDPOINT_URL", gateway.url())
            // Inherited by the functions' processes, where the Lambda service would set it itself.
            .env("AWS_XRAY_DAEMON_ADDRESS", daemon.to_string())
            // Retries of a failed asynchronous invocation: minutes on AWS, a moment here.
            .env("LAMBDA_ASYNC_RETRY_BASE_SECONDS", "0.2")
            // Listeners and a container daemon that nothing here uses.
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .env("DOCKER_HOST", format!("unix://{}", scratch.join("no-docker.sock").display()));
        outside_the_foreground_group(&mut command);
        let mut supervisor = command.spawn().map_err(|error| {
            Error::backend(format!("cannot start {}", settings.python.display())).because(error)
        })?;
        let lifeline = supervisor.stdin.take();
        Ok(Self { gateway, log, supervisor, lifeline })
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_PATIENCE;
        loop {
            if let Ok(Some(status)) = self.supervisor.try_wait() {
                return Err(Error::backend(format!(
                    "the local backend ended at its start with {status}; the end of {}:\n{}",
                    self.log.display(),
                    self.log_tail()
                )));
            }
            if self.gateway.is_ready().await {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Error::timeout(format!(
                    "the local backend was not ready after {} s; the end of {}:\n{}",
                    START_PATIENCE.as_secs(),
                    self.log.display(),
                    self.log_tail()
                )));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn port_was_taken(&self) -> bool {
        let log = self.log_tail();
        log.contains("already in use") || log.contains("Address already")
    }

    fn log_tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        // Nothing can be reported from here; the supervisor ends its group by itself all the same.
        let _ = self.stop();
    }
}

fn free_port() -> Result<u16> {
    let ask = || -> io::Result<u16> {
        Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
    };
    ask().map_err(|error| Error::backend("no free port on 127.0.0.1").because(error))
}

/// Ctrl-C on a terminal goes to the whole foreground group. The backend must end after its owner has
/// had the chance to say so, not beside it.
#[cfg(unix)]
fn outside_the_foreground_group(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;

    command.process_group(0);
}

#[cfg(not(unix))]
fn outside_the_foreground_group(_command: &mut Command) {}
