/** Pictures in messages: how large they are shown, and one drawn from the file that this page sends. */

/** Types that browsers show. */
const SHOWN = /^image\/(png|jpeg|gif|webp)$/;

/** Whether *file*, of a message, is shown as a picture: the server has found that it is one, or it will say so. */
export const isPicture = ({ mime, width, blob }) => SHOWN.test(mime) && Boolean(width || blob);

/** Give *element* room for a picture of *width* × *height* px, at most *most* px in each direction. */
export function makeRoom(element, width, height, most) {
  const scale = Math.min(1, most / width, most / height);
  element.style.width = `${Math.max(48, Math.round(width * scale))}px`;
  element.style.aspectRatio = `${Math.max(width * scale, 48)} / ${Math.max(height * scale, 48)}`;
}

/**
 * A canvas with the picture in *blob*, at most *most* px in each direction: a page's policy may forbid `blob:`
 * addresses, and allows this. Rejects where the browser cannot show it.
 */
export async function painted(blob, most) {
  const bitmap = await createImageBitmap(blob);
  const { width, height } = bitmap;
  const scale = Math.min(1, most / width, most / height) * Math.min(devicePixelRatio, 2);
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * Math.min(scale, 1)));
  canvas.height = Math.max(1, Math.round(height * Math.min(scale, 1)));
  const pen = canvas.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return { canvas, width, height };
}
