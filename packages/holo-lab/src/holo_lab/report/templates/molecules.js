// Draws a complex in the element "molecule-NUMBER", with the ligand as balls in given colors and the pocket as thin sticks.
function drawMolecule(number, scene) {
  const place = document.getElementById("molecule-" + number);
  let viewer = null;
  try {
    viewer = $3Dmol.createViewer(place, { backgroundColor: "white" });
  } catch (error) {
    viewer = null;
  }
  if (!viewer) {
    place.textContent = "This browser draws nothing in 3D (WebGL is missing).";
    return;
  }
  const ligand = viewer.addModel();
  ligand.addAtoms(scene.ligand);
  scene.colors.forEach((color, index) => {
    ligand.setStyle({ index: index }, { stick: { color: color, radius: 0.16 }, sphere: { color: color, scale: 0.26 } });
  });
  if (scene.pocket) {
    viewer.addModel(scene.pocket, "pdb").setStyle({}, { stick: { radius: 0.06, colorscheme: "grayCarbon" } });
  }
  ligand.setClickable({}, true, (atom) => {
    viewer.removeAllLabels();
    const sign = atom.adds > 0 ? "+" : "";
    viewer.addLabel(atom.elem + (atom.index + 1) + " " + sign + atom.adds.toFixed(2), { position: atom, fontSize: 13 });
    viewer.render();
  });
  viewer.zoomTo({ model: ligand });
  viewer.render();
}
