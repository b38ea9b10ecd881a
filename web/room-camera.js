// @ts-check
// A stand-in: the camera is not published yet.

/** @typedef {{link: "connecting" | "connected" | "refused" | "off", why: string, viewers: number, asked: string}} CameraState */

export class CameraPublisher {
  /** @param {{url: string, room: string, name: string, onState: (state: CameraState) => void}} options */
  constructor({ onState }) {
    setTimeout(() => onState({ link: "off", why: "", viewers: 0, asked: "" }));
  }

  /** @param {MediaStreamTrack | null} track */
  setTrack(track) {
    void track;
  }

  stats() {
    return { fps: 0, width: 0, height: 0, kbytesPerSecond: 0, quality: 0, encodeMs: 0, sent: 0, skipped: 0, viewers: 0 };
  }

  close() {}
}
