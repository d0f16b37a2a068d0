"""Headers as scanners write them: what the phantoms have, and all that makes reading them long."""

from __future__ import annotations

import random

from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, CTImageStorage, EnhancedMRImageStorage, MRImageStorage

from demo.phantoms.dataset import common
from demo.phantoms.patient import Patient, invent_uid

_PRIVATE_BYTES = 6 << 10


def scanner_image(patient: Patient, modality: str, series: int, instance: int) -> Dataset:
    """Return the header of one slice of a CT or MR series: about 140 elements, nested and private ones among them."""
    sop_class = CTImageStorage if modality == "CT" else MRImageStorage
    ds = common(patient, sop_class, modality, series, instance)
    _equipment_and_study(ds, patient)
    _plane(ds, instance)
    _acquisition(ds, instance)
    ds.ReferencedImageSequence = Sequence(_reference(ds, CTImageStorage, number) for number in (1, 2))
    ds.SourceImageSequence = Sequence([_reference(ds, CTImageStorage, 3)])
    ds.RequestAttributesSequence = Sequence([_request(patient)])
    ds.ProcedureCodeSequence = Sequence([_code("36643-5", "LN", "Chest")])
    ds.ReferencedStudySequence = Sequence([_reference(ds, CTImageStorage, 4)])
    _private(ds, instance)
    return ds


def enhanced_mr(patient: Patient, frames: int) -> Dataset:
    """Return the header of an enhanced MR object: 22 elements for each frame."""
    ds = common(patient, EnhancedMRImageStorage, "MR", 7, 1)
    _equipment_and_study(ds, patient)
    ds.NumberOfFrames = frames
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "NONE"]
    ds.AcquisitionDateTime = f"{patient.study_date}{patient.study_time}.000000"
    ds.FrameOfReferenceUID = invent_uid(patient.study_uid, "frame of reference", "MR")
    ds.PerFrameFunctionalGroupsSequence = Sequence(_frame(ds, patient, number) for number in range(frames))
    return ds


def _equipment_and_study(ds: Dataset, patient: Patient) -> None:
    ds.InstanceCreationDate, ds.InstanceCreationTime = patient.study_date, "101742.123"
    ds.InstitutionAddress, ds.InstitutionalDepartmentName = patient.address, "Radiology"
    ds.PhysiciansOfRecord = ds.PerformingPhysicianName = patient.referring_physician
    ds.NameOfPhysiciansReadingStudy = ds.RequestingPhysician = patient.referring_physician
    ds.AdmittingDiagnosesDescription = "Cough and fever"
    ds.PatientSize, ds.PatientWeight, ds.EthnicGroup = 1.71, 68, "none"
    ds.AdditionalPatientHistory, ds.PatientComments = "Smoker", f"call {patient.phone}"
    ds.PregnancyStatus, ds.MedicalAlerts = 4, "none"
    ds.ProtocolName, ds.RequestedProcedureDescription = "Thorax routine", "CT thorax"
    ds.RequestedProcedureID, ds.PerformedProcedureStepID = f"RP{patient.accession}", f"PP{patient.accession}"
    ds.PerformedProcedureStepStartDate, ds.PerformedProcedureStepStartTime = patient.study_date, patient.study_time
    ds.PerformedProcedureStepDescription, ds.AdmissionID = "Thorax", patient.accession
    ds.DateOfLastCalibration, ds.TimeOfLastCalibration = patient.study_date, "060000"
    ds.PositionReferenceIndicator, ds.PatientPosition = "", "HFS"


def _plane(ds: Dataset, instance: int) -> None:
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.FrameOfReferenceUID = invent_uid(ds.StudyInstanceUID, "frame of reference", ds.Modality)
    ds.ImagePositionPatient = [-180.5, -180.25, round(0.75 * instance, 3)]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness, ds.SliceLocation = [0.703125, 0.703125], 0.75, round(0.75 * instance, 3)
    ds.SpacingBetweenSlices, ds.TablePosition = 0.75, float(instance)


def _acquisition(ds: Dataset, instance: int) -> None:
    ds.AcquisitionNumber, ds.AcquisitionTime = 1, f"1015{instance % 60:02d}.{instance:06d}"
    ds.ContentTime, ds.TriggerTime = f"1016{instance % 60:02d}.{instance:06d}", 0
    ds.WindowCenter, ds.WindowWidth = [40, -600], [400, 1600]
    ds.WindowCenterWidthExplanation = ["WINDOW1", "WINDOW2"]
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
    ds.ScanOptions, ds.BodyPartExamined, ds.ContrastBolusAgent = "HELIX", "CHEST", "none"
    if ds.Modality == "CT":
        ds.KVP, ds.DataCollectionDiameter, ds.ReconstructionDiameter = 120, 500, 360
        ds.DistanceSourceToDetector, ds.DistanceSourceToPatient, ds.GantryDetectorTilt = 1040, 570, 0
        ds.TableHeight, ds.RotationDirection, ds.ExposureTime = 151.5, "CW", 500
        ds.XRayTubeCurrent, ds.Exposure, ds.FilterType, ds.GeneratorPower = 200 + instance % 7, 100, "BODY", 24
        ds.FocalSpots, ds.ConvolutionKernel, ds.CTDIvol = 1.2, "B30f", 7.25 + instance % 3
        ds.SingleCollimationWidth, ds.TotalCollimationWidth, ds.TableSpeed = 0.6, 38.4, 46.0
        ds.TableFeedPerRotation, ds.SpiralPitchFactor = 23.0, 0.6
        return
    ds.ScanningSequence, ds.SequenceVariant, ds.MRAcquisitionType, ds.SequenceName = "SE", "SK", "2D", "tse2d1_9"
    ds.RepetitionTime, ds.EchoTime, ds.NumberOfAverages, ds.ImagingFrequency = 4000, 99, 2, 63.676
    ds.ImagedNucleus, ds.EchoNumbers, ds.MagneticFieldStrength = "1H", 1, 1.5
    ds.NumberOfPhaseEncodingSteps, ds.EchoTrainLength, ds.PercentSampling = 256, 9, 100
    ds.PercentPhaseFieldOfView, ds.PixelBandwidth, ds.FlipAngle, ds.SAR = 100, 130, 150, 0.8
    ds.TransmitCoilName, ds.AcquisitionMatrix, ds.InPlanePhaseEncodingDirection = "Body", [0, 256, 256, 0], "ROW"


def _reference(ds: Dataset, sop_class: UID, number: int) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class
    item.ReferencedSOPInstanceUID = invent_uid(ds.StudyInstanceUID, "referenced", number)
    return item


def _request(patient: Patient) -> Dataset:
    item = Dataset()
    item.RequestedProcedureID, item.ScheduledProcedureStepID = f"RP{patient.accession}", f"SP{patient.accession}"
    item.ScheduledProcedureStepDescription = "CT thorax"
    item.ScheduledProtocolCodeSequence = Sequence([_code("P5-09000", "SRT", "Computed tomography")])
    return item


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _private(ds: Dataset, instance: int) -> None:
    block = ds.private_block(0x0029, "AIRLOCK BENCH CSA HEADER", create=True)
    block.add_new(0x08, "CS", "IMAGE NUM 4")
    block.add_new(0x09, "LO", "20260417")
    block.add_new(0x10, "OB", random.Random(instance).randbytes(_PRIVATE_BYTES))
    other = ds.private_block(0x0019, "AIRLOCK BENCH", create=True)
    for element, value in enumerate(("Line", "3.25", "WEDGE_2", "AxialSpiral", "0.6")):
        other.add_new(element, "LO", value)


def _frame(ds: Dataset, patient: Patient, number: int) -> Dataset:
    moment = f"{patient.study_date}{int(patient.study_time) + number // 60:06d}.{number:06d}"
    content = Dataset()
    content.FrameAcquisitionDateTime = content.FrameReferenceDateTime = moment
    content.FrameAcquisitionDuration, content.StackID, content.InStackPositionNumber = 33.5, "1", number + 1
    content.TemporalPositionIndex, content.DimensionIndexValues = 1, [1, number + 1]
    position, orientation, measures, mr = Dataset(), Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = [-120, -120, 2.5 * number]
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.SliceThickness, measures.SpacingBetweenSlices, measures.PixelSpacing = 2.5, 2.5, [0.9375, 0.9375]
    mr.EffectiveEchoTime = 90.0 + number % 4
    frame, image = Dataset(), Dataset()
    frame.FrameContentSequence = Sequence([content])
    frame.PlanePositionSequence = Sequence([position])
    frame.PlaneOrientationSequence = Sequence([orientation])
    frame.PixelMeasuresSequence = Sequence([measures])
    frame.MREchoSequence = Sequence([mr])
    image.ReferencedImageSequence = Sequence([_reference(ds, MRImageStorage, number)])
    frame.DerivationImageSequence = Sequence([image])
    return frame
