// @ts-check
// The picture that somebody chose as their background: kept by this browser alone, and given to nobody but as a part of what the camera shows.

const KEPT = "streamflow-room-background";
/** The longer side of what is kept: a background is looked past. */
const LONGEST = 1280;
const QUALITY = 0.85;
/** Without a picture: a wall in an even light. */
const WALL = ["#2b3a55", "#141b29"];

function kept() {
  try {
    return localStorage.getItem(KEPT) ?? "";
  } catch {
    return "";
  }
}

/** Whether somebody chose one. */
export const hasPicture = () => kept() !== "";

/** The picture that was chosen, or one of a wall. */
export async function backgroundPicture() {
  try {
    const bytes = Uint8Array.from(atob(kept()), (letter) => letter.charCodeAt(0));
    return bytes.length ? await createImageBitmap(new Blob([bytes], { type: "image/jpeg" })) : wall();
  } catch {
    return wall();
  }
}

function wall() {
  const canvas = new OffscreenCanvas(640, 360);
  const context = canvas.getContext("2d", { alpha: false });
  if (context) {
    const light = context.createRadialGradient(320, 120, 40, 320, 160, 420);
    WALL.forEach((colour, at) => light.addColorStop(at, colour));
    context.fillStyle = light;
    context.fillRect(0, 0, 640, 360);
  }
  return canvas.transferToImageBitmap();
}

/** Keeps a picture as the background. Gives why not; empty where it is kept. @param {Blob} file */
export async function keepPicture(file) {
  const image = await createImageBitmap(file).catch(() => null);
  if (!image) return "This file is no picture that the browser knows. Choose a JPEG, a PNG or a WebP.";
  const by = Math.min(1, LONGEST / Math.max(image.width, image.height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(image.width * by)), Math.max(1, Math.round(image.height * by)));
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) return "This browser has no canvas for pictures.";
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
  const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY })).arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  try {
    localStorage.setItem(KEPT, btoa(text));
    return "";
  } catch {
    return "This browser does not keep the picture: it may be told to keep nothing, or have no room.";
  }
}
