//! Downloads from storage by a signed URL, which is a secret: no token goes there, and no text of it comes back.

use super::Arm;
use crate::ArmError;
use crate::stop::stopped;
use azure_core::http::{Context, Method, PipelineStreamOptions, Request, Url};
use futures::StreamExt;
use tokio::time::timeout;

impl Arm {
    /// Downloads what a signed URL leads to, without a token, and hands over its pieces as they come.
    ///
    /// No text of the transport is passed on: it may hold the URL, which is a secret.
    pub(crate) async fn download(&self, url: &Url, take: &mut dyn FnMut(&[u8])) -> Result<(), ArmError> {
        let mut stop = self.stop.clone();
        tokio::select! {
            biased;
            stop = stopped(&mut stop) => Err(ArmError::Stopped(stop)),
            done = self.download_whole(url, take) => done,
        }
    }

    async fn download_whole(&self, url: &Url, take: &mut dyn FnMut(&[u8])) -> Result<(), ArmError> {
        let patience = self.inner.limits.request_timeout;
        let broken = || ArmError::Network("the connection to storage was interrupted".to_owned());
        let silent = |_| ArmError::Network(format!("no data from storage for {} s", patience.as_secs()));
        let Ok(_under_way) = self.inner.under_way.acquire().await else {
            return Err(ArmError::Network("the client was closed".to_owned()));
        };
        let mut request = Request::new(url.clone(), Method::Get);
        let options = PipelineStreamOptions { skip_checks: true, ..PipelineStreamOptions::default() };
        let context = Context::new();
        let sent = self.inner.plain.stream(&context, &mut request, Some(options));
        let response = timeout(patience, sent).await.map_err(silent)?.map_err(|_| broken())?;
        let (status, _headers, mut stream) = response.deconstruct();
        match u16::from(status) {
            200 => {}
            403 => return Err(ArmError::Network("storage refused the signature, which may have expired".to_owned())),
            other => return Err(ArmError::Network(format!("storage answered HTTP {other}"))),
        }
        while let Some(piece) = timeout(patience, stream.next()).await.map_err(silent)? {
            take(&piece.map_err(|_| broken())?);
        }
        Ok(())
    }
}
