"""Small synthetic DICOM studies on disk, for tests that care about files, UIDs and syntaxes but not about pictures.

For instances to de-identify see `tests.synthetic`; for valid ones with pictures, `demo.phantoms`.
"""

from __future__ import annotations

from pathlib import Path

from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
PRESENTATION_STATE = "1.2.840.10008.5.1.4.1.1.11.1"


def make_instance(
    path: Path,
    study_uid: str,
    series_uid: str,
    sop_uid: str,
    *,
    sop_class: str = CT,
    syntax: str = ExplicitVRLittleEndian,
    size: int = 32,
    **attributes,
) -> Path:
    """Write one instance with `size` x `size` 16-bit pixels; `attributes` are set by keyword, None deletes."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = sop_uid
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, sop_uid
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study_uid, series_uid
    dataset.PatientName, dataset.PatientID = "Doe^Jane", "P-4711"
    dataset.PatientBirthDate, dataset.PatientSex = "19700101", "F"
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20240102", "101112", "S1"
    dataset.AccessionNumber, dataset.ReferringPhysicianName = "ACC123", ""
    dataset.SeriesNumber, dataset.InstanceNumber = 1, 1
    dataset.Modality = {CT: "CT", MR: "MR"}.get(sop_class, "OT")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    if size:
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.Rows = dataset.Columns = size
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
        dataset.PixelData = bytes(size * size * 2)
        dataset["PixelData"].VR = "OW"
    for keyword, value in attributes.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    dcmwrite(path, dataset, enforce_file_format=True)
    return path


def make_study(folder: Path, study_uid: str, series: int = 2, instances: int = 3, **options) -> dict[str, Path]:
    """Write a study as FIONA lays it out, `<series>/<SOP instance>`; return its files by SOPInstanceUID.

    The first series is CT, the second MR in implicit VR, and so on in turn.
    """
    files: dict[str, Path] = {}
    for number in range(series):
        series_uid = generate_uid()
        kind = {"sop_class": CT} if number % 2 == 0 else {"sop_class": MR, "syntax": ImplicitVRLittleEndian}
        for _ in range(instances):
            sop_uid = generate_uid()
            path = folder / series_uid / sop_uid
            files[sop_uid] = make_instance(path, study_uid, series_uid, sop_uid, **{**kind, **options})
    return files
